//! How many tokens are read and written, told to whoever listens.

/// Tells of a run: an event of the target `formers::tokens` with the fields `read` and `written`.
pub(crate) fn tell(read: usize, written: usize) {
    tracing::debug!(target: "formers::tokens", read, written, "{read} tokens read, {written} written");
}

//! How many threads a session gets.

use serde::Serialize;

use super::SessionOptions;

/// The processor, as far as this process may use it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Threads {
    /// Physical cores of the machine.
    pub physical: usize,
    /// Threads that the system lets this process run at once, with affinity and container limits.
    pub available: usize,
    /// What a session takes when nothing is said.
    pub default: usize,
}

impl Threads {
    /// Counts anew, since limits may change.
    pub fn count() -> Self {
        let physical = num_cpus::get_physical().max(1);
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        // Two threads on one core share its arithmetic units, and only get in each other's way.
        Self { physical, available, default: physical.min(available) }
    }
}

/// Threads for a session.
pub(crate) fn wanted(options: &SessionOptions) -> usize {
    match options.threads {
        Some(threads) if threads > 0 => threads,
        _ => Threads::count().default,
    }
}

//! Kernels of our own: products with weights in 4 or 8 bits, on processors where these are faster than ONNX Runtime's.
//!
//! Graphs have the usual operator `MatMulNBits`, in files and in memory. When a session is opened on a processor with AVX-512 VNNI,
//! [`rewrite`] gives the products that suit to the domain `formers`, and [`operator`] computes them: activations are rounded to 8 bits in
//! blocks of 32, as ONNX Runtime does with `accuracy_level` 4, and multiplied with the weights as they are stored, in the order in which
//! they are read ([`packed`]). A row of a batch has the same result in any batch, whatever its size.

mod activations;
mod avx512;
mod operator;
mod packed;
mod pages;
mod rewrite;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, OnceLock, PoisonError};

use ort::operator::OperatorDomain;

/// The domain of our operators.
const DOMAIN: &str = "formers";
/// Activations are rounded in blocks of so many.
const BLOCK: usize = 32;
/// So many rows of a matrix lie side by side.
const LANES: usize = 16;
/// A larger model, with weights inside the file, is left as it is: it would lie in memory once more while it is opened.
const MOST_BYTES: usize = 1 << 30;

/// The model with our operators where they help, and its files of weights where `place` says; `None` where it stays as it is.
pub(super) fn prepared(model: &[u8], place: &dyn Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    if model.len() > MOST_BYTES || !avx512::usable() {
        return None;
    }
    rewrite::rewrite(model, place)
}

/// Our operators, for a session's options.
pub(super) fn domain() -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?.add(operator::MatMulNBits::default())
}

/// Opens a session with our operators: one at a time until the first is open.
///
/// ONNX Runtime looks up whether it knows a domain, and adds it, without a lock between threads: the second to add one is told that it exists.
pub(super) fn in_turn<T>(open: impl FnOnce() -> ort::Result<T>) -> ort::Result<T> {
    static KNOWN: OnceLock<()> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    if KNOWN.get().is_some() {
        return open();
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let session = open()?;
    let _ = KNOWN.set(());
    Ok(session)
}

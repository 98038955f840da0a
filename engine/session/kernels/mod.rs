//! Kernels of our own: products with weights in 4 or 8 bits, with what stands right before and behind them, and the attention of such models, on
//! processors where these are faster than ONNX Runtime's.
//!
//! Graphs have the usual operators, in files and in memory. When a session is opened on a processor with AVX-512 VNNI, [`rewrite`] gives the nodes that
//! suit to the domain `formers`, where [`operator`] and [`attention`] compute them, on the threads of a [`pool`]. Products round activations to 8
//! bits in blocks as long as those of the weights, as ONNX Runtime does with `accuracy_level` 4, and multiply them with the weights as they are
//! stored, in the order in which they are read ([`packed`]). A row of a batch has the same result in any batch, whatever its size.

mod activations;
mod attention;
mod avx512;
mod gate;
mod norm;
mod operator;
mod order;
mod packed;
mod pages;
mod pool;
mod rewrite;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ort::operator::OperatorDomain;

use super::Spinning;

/// The domain of our operators.
const DOMAIN: &str = "formers";
/// Blocks have this many numbers or a multiple.
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

/// What the operators of one session share.
struct Common {
    pages: pages::Pages,
    pool: pool::Pool,
    order: order::Order,
    spare: activations::Spare,
}

/// Our operators, for a session's options.
pub(super) fn domain(threads: usize, spinning: Spinning) -> ort::Result<OperatorDomain> {
    let spin = match spinning {
        Spinning::Never => Duration::ZERO,
        // As long as ONNX Runtime's operators take between two of ours. Waiting threads let others have their core.
        Spinning::Briefly => Duration::from_micros(500),
        Spinning::Always => Duration::from_millis(100),
    };
    let common = Arc::new(Common {
        pages: pages::Pages::default(),
        pool: pool::Pool::new(threads, spin),
        order: order::Order::default(),
        spare: activations::Spare::default(),
    });
    let mut domain = OperatorDomain::new(DOMAIN)?;
    for (norm, gated) in [(false, false), (false, true), (true, false), (true, true)] {
        domain = domain.add(operator::MatMulNBits::new(&common, norm, gated))?;
    }
    domain.add(attention::GroupQueryAttention::new(&common))
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

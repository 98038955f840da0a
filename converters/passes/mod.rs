//! Rewrites of finished graphs: abstract operators become those that the target runs best, and what nothing needs goes away.

mod attention;
mod cached;
mod experts;
mod four_bits;
mod packed;
mod prune;
mod readers;
mod rewrite;
mod rotary;
mod skip_norm;
mod storage;

pub(crate) use four_bits::{four_bits, nested};
pub(crate) use packed::packed;
pub use packed::{packed_size, unpack};
pub use storage::{Storage, store};

use crate::{Result, graph::Body};

/// What a graph is going to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Target {
    /// ONNX Runtime's CPU provider.
    #[default]
    Cpu,
    /// Any provider: ONNX's own operators wherever they exist.
    Portable,
}

/// Lowers a graph for a target. What becomes of weights that are stored as integers, and of experts, hangs on how weights are going to be
/// stored: [`store`] or [`unpack`] come after.
pub fn lower(body: Body, target: Target) -> Result<Body> {
    let body = attention::lower(body, target)?;
    let body = if target == Target::Portable { experts::split(body)? } else { body };
    let body = four_bits::lower(body)?;
    let body = cached::lower(body, target)?;
    let body = rotary::lower(body, target)?;
    let body = skip_norm::lower(body, target)?;
    Ok(prune::prune(body))
}

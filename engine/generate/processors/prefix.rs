//! A caller's constraint: which tokens may follow what has been generated.

use std::sync::Arc;

use super::{Processor, Row};
use crate::{Error, Result};

/// The tokens that may follow: from the index of the input and the history of one of its rows.
pub type PrefixAllowedTokens = Arc<dyn Fn(usize, &[u32]) -> Vec<u32> + Send + Sync>;

/// Keeps the allowed tokens only.
#[derive(Clone)]
pub struct PrefixConstrained {
    allowed: PrefixAllowedTokens,
    num_beams: usize,
    mask: Vec<f32>,
}

impl PrefixConstrained {
    /// The constraint, and how many rows belong to one input of it.
    pub fn new(allowed: PrefixAllowedTokens, num_beams: usize) -> Self {
        Self { allowed, num_beams: num_beams.max(1), mask: Vec::new() }
    }
}

impl Processor for PrefixConstrained {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        self.process_rows(&[*row], logits)
    }

    /// Where all beams of an input are left without tokens, because earlier processors forbade the allowed ones, the constraint alone
    /// decides.
    fn process_rows(&mut self, rows: &[Row<'_>], logits: &mut [f32]) -> Result<()> {
        let Some(vocabulary) = logits.len().checked_div(rows.len()).filter(|v| *v > 0) else { return Ok(()) };
        self.mask.clear();
        self.mask.resize(logits.len(), f32::NEG_INFINITY);
        for (row, mask) in rows.iter().zip(self.mask.chunks_exact_mut(vocabulary)) {
            let input = row.index / self.num_beams;
            let allowed = (self.allowed)(input, row.history);
            if allowed.is_empty() {
                return Err(Error::request("prefix_allowed_tokens_fn", format!("allows no token for input {input}, so it cannot be met")));
            }
            for token in allowed {
                let missing =
                    || Error::request("prefix_allowed_tokens_fn", format!("allows token {token}, but the vocabulary has {vocabulary}"));
                *mask.get_mut(token as usize).ok_or_else(missing)? = 0.0;
            }
        }
        let mut start = 0;
        for beams in rows.chunk_by(|a, b| a.index / self.num_beams == b.index / self.num_beams) {
            let range = start..start + beams.len() * vocabulary;
            start = range.end;
            let (logits, mask) = (&mut logits[range.clone()], &self.mask[range]);
            logits.iter_mut().zip(mask).for_each(|(x, m)| *x += m);
            if logits.iter().all(|x| *x == f32::NEG_INFINITY) {
                logits.copy_from_slice(mask);
            }
        }
        Ok(())
    }
}

//! `typical_p`: the tokens whose information is nearest to the entropy, up to a mass of probability.

use super::{Processor, Row};
use crate::generate::log_softmax;
use crate::generate::rank::{Weighted, count_within};
use crate::generate::scores::{entropy, softmax_into};
use crate::{Error, Result};

/// Locally typical sampling, <https://huggingface.co/papers/2202.00666>; the likeliest tokens may go.
#[derive(Debug, Clone)]
pub struct TypicalP {
    mass: f32,
    keep: usize,
    probabilities: Vec<f32>,
    log_probabilities: Vec<f32>,
    tokens: Vec<Weighted>,
}

impl TypicalP {
    /// `mass` must lie between 0 and 1; the `keep` most typical tokens stay.
    pub fn new(mass: f64, keep: usize) -> Result<Self> {
        if mass > 0.0 && mass < 1.0 {
            return Ok(Self {
                mass: mass as f32,
                keep: keep.max(1),
                probabilities: Vec::new(),
                log_probabilities: Vec::new(),
                tokens: Vec::new(),
            });
        }
        Err(Error::request("typical_p", format!("must lie between 0 and 1, not {mass}")))
    }
}

impl Processor for TypicalP {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        softmax_into(logits, &mut self.probabilities);
        self.log_probabilities.clear();
        self.log_probabilities.extend_from_slice(logits);
        log_softmax(&mut self.log_probabilities);
        let entropy = entropy(&self.probabilities);
        let tokens = &mut self.tokens;
        tokens.clear();
        let scores = self.log_probabilities.iter().zip(&self.probabilities);
        tokens.extend(scores.enumerate().map(|(place, (log, mass))| Weighted { key: (-log - entropy).abs(), place, mass: *mass }));
        let last = count_within(tokens, 0.0, |sum| sum < self.mass).min(tokens.len().saturating_sub(1));
        let Some(bar) = tokens.get(last).map(|token| token.key) else { return Ok(()) };
        if self.keep < tokens.len() {
            tokens.select_nth_unstable_by(self.keep, Weighted::order);
        }
        tokens.iter().skip(self.keep).filter(|token| token.key > bar).for_each(|token| logits[token.place] = f32::NEG_INFINITY);
        Ok(())
    }
}

//! Processors that keep the best tokens: by number (`top_k`), by mass (`top_p`), by entropy (`top_h`).

use super::{Processor, Row};
use crate::generate::rank::{Ranked, Weighted, count_within, top};
use crate::generate::scores::{entropy, largest, softmax_into};
use crate::{Error, Result};

/// `top_k`: the `k` best tokens, and all that tie with the last of them.
#[derive(Debug, Clone)]
pub struct TopK {
    count: usize,
    best: Vec<Ranked>,
}

impl TopK {
    /// `top_k` must be above 0; at least `keep` tokens stay.
    pub fn new(top_k: i64, keep: usize) -> Result<Self> {
        match usize::try_from(top_k) {
            Ok(count @ 1..) => Ok(Self { count: count.max(keep), best: Vec::new() }),
            _ => Err(Error::request("top_k", format!("must be above 0, or 0 for all, not {top_k}"))),
        }
    }
}

impl Processor for TopK {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        top(logits.iter().copied(), self.count.min(logits.len()), &mut self.best);
        let Some((bar, _)) = self.best.last().copied() else { return Ok(()) };
        logits.iter_mut().filter(|x| **x < bar).for_each(|x| *x = f32::NEG_INFINITY);
        Ok(())
    }
}

/// `top_p`: the smallest set of best tokens whose probabilities sum up to `p`.
#[derive(Debug, Clone)]
pub struct TopP {
    rest: f32,
    keep: usize,
    probabilities: Vec<f32>,
    tokens: Vec<Weighted>,
}

impl TopP {
    /// `top_p` must lie from 0 to 1; at least `keep` tokens stay.
    pub fn new(top_p: f64, keep: usize) -> Result<Self> {
        if (0.0..=1.0).contains(&top_p) {
            return Ok(Self { rest: (1.0 - top_p) as f32, keep: keep.max(1), probabilities: Vec::new(), tokens: Vec::new() });
        }
        Err(Error::request("top_p", format!("must lie from 0 to 1, not {top_p}")))
    }
}

impl Processor for TopP {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        softmax_into(logits, &mut self.probabilities);
        // Tokens that together cannot fill the rest go without being ordered, which is most of a vocabulary.
        let floor = self.rest / logits.len() as f32 / 2.0;
        let small = if self.probabilities.iter().filter(|p| **p >= floor).count() < self.keep { 0.0 } else { floor };
        let tokens = &mut self.tokens;
        tokens.clear();
        let mut before = 0.0;
        for (place, (logit, mass)) in logits.iter_mut().zip(&self.probabilities).enumerate() {
            if *mass < small {
                before += f64::from(*mass);
                *logit = f32::NEG_INFINITY;
            } else {
                tokens.push(Weighted { key: *logit, place, mass: *mass });
            }
        }
        let least = tokens.len().saturating_sub(self.keep);
        let mut removed = count_within(tokens, before, |sum| sum <= self.rest);
        if removed > least {
            tokens.select_nth_unstable_by(least, Weighted::order);
            removed = least;
        }
        tokens[..removed].iter().for_each(|token| logits[token.place] = f32::NEG_INFINITY);
        Ok(())
    }
}

/// `top_h`: the best tokens (of at most 100) whose entropy stays within a part of the whole.
#[derive(Debug, Clone)]
pub struct TopH {
    part: f32,
    best: Vec<Ranked>,
    probabilities: Vec<f32>,
    logits: Vec<f32>,
}

/// Beyond this rank nothing is considered, as in the paper's code.
const CANDIDATES: usize = 100;

impl TopH {
    /// `top_h` must lie above 0, up to 1.
    pub fn new(top_h: f64) -> Result<Self> {
        if top_h > 0.0 && top_h <= 1.0 {
            return Ok(Self { part: top_h as f32, best: Vec::new(), probabilities: Vec::new(), logits: Vec::new() });
        }
        Err(Error::request("top_h", format!("must lie above 0 and up to 1, not {top_h}")))
    }
}

impl Processor for TopH {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        is_distribution(logits, "top_h")?;
        top(logits.iter().copied(), CANDIDATES, &mut self.best);
        self.logits.clear();
        self.logits.extend(self.best.iter().map(|(logit, _)| *logit));
        softmax_into(&self.logits, &mut self.probabilities);
        let bound = entropy(&self.probabilities) * self.part;
        let mut sum = 0.0;
        let kept = self.probabilities.iter().take_while(|p| {
            // A token of no probability has no defined entropy here (0 · ∞), which ends the set.
            sum += f64::from(-**p * p.ln());
            sum as f32 <= bound
        });
        let kept = kept.count().max(1);
        logits.fill(f32::NEG_INFINITY);
        self.best.iter().take(kept).for_each(|(logit, place)| logits[*place] = *logit);
        Ok(())
    }
}

/// Where the reference builds a distribution of torch, it refuses logits that make none.
pub(super) fn is_distribution(logits: &[f32], name: &str) -> Result<()> {
    if largest(logits).is_finite() {
        return Ok(());
    }
    Err(Error::request(name, "the logits are infinite or not numbers, or every token is forbidden; remove_invalid_values replaces them"))
}

//! Processors by length: no end before `min_length` or `min_new_tokens`, and a likelier one after a while.

use super::{Processor, Row, logit_of};
use crate::{Error, Result};

/// `min_length`: no end token before so many tokens, prompt included.
#[derive(Debug, Clone)]
pub struct MinLength {
    length: i64,
    eos: Vec<i64>,
}

impl MinLength {
    /// The least number of tokens, and the end tokens.
    pub fn new(length: i64, eos: &[i64]) -> Self {
        Self { length, eos: eos.to_vec() }
    }
}

impl Processor for MinLength {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if (row.history.len() as i64) < self.length {
            forbid(&self.eos, logits);
        }
        Ok(())
    }
}

/// `min_new_tokens`: no end token before so many tokens after the prompt.
#[derive(Debug, Clone)]
pub struct MinNewTokens(MinLength);

impl MinNewTokens {
    /// The length of the prompt, the least number of new tokens, and the end tokens.
    pub fn new(prompt: usize, tokens: usize, eos: &[i64]) -> Self {
        Self(MinLength::new(prompt.saturating_add(tokens) as i64, eos))
    }
}

impl Processor for MinNewTokens {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        self.0.process(row, logits)
    }
}

/// `exponential_decay_length_penalty`: raises end tokens by `|x| · (factorⁿ - 1)`, `n` tokens after a start.
#[derive(Debug, Clone)]
pub struct ExponentialDecayLengthPenalty {
    start: i64,
    factor: f64,
    eos: Vec<i64>,
}

impl ExponentialDecayLengthPenalty {
    /// Where it starts (counted from the end of the prompt), the factor, the end tokens, and the length of the prompt.
    pub fn new(start: i64, factor: f64, eos: &[i64], prompt: usize) -> Self {
        Self { start: start.saturating_add(prompt as i64), factor, eos: eos.to_vec() }
    }
}

impl Processor for ExponentialDecayLengthPenalty {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        let beyond = (row.history.len() as i64).saturating_sub(self.start);
        if beyond <= 0 {
            return Ok(());
        }
        let growth = self.factor.powf(beyond as f64) - 1.0;
        if !growth.is_finite() {
            return Err(Error::request(
                "exponential_decay_length_penalty",
                format!("{} to the power of {beyond} is too large", self.factor),
            ));
        }
        for (i, token) in self.eos.iter().enumerate() {
            // An end token given twice is raised once.
            if let (false, Some(x)) = (self.eos[..i].contains(token), logit_of(logits, *token)) {
                *x += if x.is_finite() { x.abs() * growth as f32 } else { 0.0 };
            }
        }
        Ok(())
    }
}

fn forbid(tokens: &[i64], logits: &mut [f32]) {
    for token in tokens {
        if let Some(x) = logit_of(logits, *token) {
            *x = f32::NEG_INFINITY;
        }
    }
}

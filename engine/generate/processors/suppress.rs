//! `suppress_tokens` and `begin_suppress_tokens`: tokens that never come, or not at the beginning.

use super::{Processor, Row, logit_of};
use crate::Result;

/// `suppress_tokens`: these never come.
#[derive(Debug, Clone)]
pub struct SuppressTokens(Vec<i64>);

impl SuppressTokens {
    /// The tokens to suppress; those outside the vocabulary never come anyway.
    pub fn new(tokens: &[i64]) -> Self {
        Self(tokens.to_vec())
    }
}

impl Processor for SuppressTokens {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        for token in &self.0 {
            if let Some(x) = logit_of(logits, *token) {
                *x = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }
}

/// `begin_suppress_tokens`: these are not the first to come.
#[derive(Debug, Clone)]
pub struct SuppressTokensAtBegin {
    tokens: SuppressTokens,
    begin: usize,
}

impl SuppressTokensAtBegin {
    /// The tokens to suppress, and the length of the history at which they are.
    pub fn new(tokens: &[i64], begin: usize) -> Self {
        Self { tokens: SuppressTokens::new(tokens), begin }
    }
}

impl Processor for SuppressTokensAtBegin {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if row.history.len() == self.begin { self.tokens.process(row, logits) } else { Ok(()) }
    }
}

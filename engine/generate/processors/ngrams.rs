//! `no_repeat_ngram_size` and `encoder_no_repeat_ngram_size`: no sequence of so many tokens twice, or not one of the input.

use super::{Processor, Row, logit_of};
use crate::{Error, Result};

/// `no_repeat_ngram_size`: forbids tokens that would end a sequence that the history already has.
#[derive(Debug, Clone)]
pub struct NoRepeatNGram(usize);

impl NoRepeatNGram {
    /// `size` must be above 0.
    pub fn new(size: usize) -> Result<Self> {
        checked(size, "no_repeat_ngram_size").map(Self)
    }
}

impl Processor for NoRepeatNGram {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        forbid(row.history, row.history, self.0, logits);
        Ok(())
    }
}

/// `encoder_no_repeat_ngram_size`: forbids tokens that would end a sequence that the input has.
#[derive(Debug, Clone)]
pub struct EncoderNoRepeatNGram {
    size: usize,
    encoder: Vec<Vec<u32>>,
    rows_per_input: usize,
}

impl EncoderNoRepeatNGram {
    /// `size` must be above 0.
    pub fn new(size: usize, encoder_input_ids: &[Vec<u32>], rows_per_input: usize) -> Result<Self> {
        let size = checked(size, "encoder_no_repeat_ngram_size")?;
        Ok(Self { size, encoder: encoder_input_ids.to_vec(), rows_per_input: rows_per_input.max(1) })
    }
}

impl Processor for EncoderNoRepeatNGram {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if let Some(tokens) = self.encoder.get(row.index / self.rows_per_input) {
            forbid(tokens, row.history, self.size, logits);
        }
        Ok(())
    }
}

/// Forbids what follows, anywhere in `tokens`, the last `size - 1` tokens of `history`.
fn forbid(tokens: &[u32], history: &[u32], size: usize, logits: &mut [f32]) {
    let Some(start) = (history.len() + 1).checked_sub(size) else { return };
    let prefix = &history[start..];
    for window in tokens.windows(size).filter(|window| window.starts_with(prefix)) {
        if let Some(x) = window.last().and_then(|token| logit_of(logits, i64::from(*token))) {
            *x = f32::NEG_INFINITY;
        }
    }
}

fn checked(size: usize, name: &str) -> Result<usize> {
    if size > 0 { Ok(size) } else { Err(Error::request(name, "must be above 0")) }
}

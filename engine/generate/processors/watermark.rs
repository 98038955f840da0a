//! The green-list watermark: tokens of a list that the last tokens decide get a bias, <https://huggingface.co/papers/2306.04634>.

use super::torch_random::TorchGenerator;
use super::{Processor, Row};
use crate::generate::rank::{Ranked, top};
use crate::{Error, Result};

/// `WatermarkingConfig`
#[derive(Debug, Clone)]
pub struct GreenListWatermark {
    vocabulary: usize,
    greens: usize,
    bias: f32,
    key: i64,
    context_width: usize,
    /// The hash of a token, for `selfhash`.
    table: Option<Vec<u32>>,
    green: Vec<u32>,
    best: Vec<Ranked>,
}

/// The length of the table of hashes.
const TABLE: usize = 1_000_003;

/// With `selfhash`, only so many of the best tokens can be green.
const CANDIDATES: usize = 40;

impl GreenListWatermark {
    /// From the size of the vocabulary and the fields of `WatermarkingConfig`; the ratio must lie between 0 and 1.
    pub fn new(vocabulary: usize, ratio: f64, bias: f64, key: i64, selfhash: bool, context_width: usize) -> Result<Self> {
        if !(ratio > 0.0 && ratio < 1.0) {
            return Err(Error::request("watermarking_config.greenlist_ratio", format!("must lie between 0 and 1, not {ratio}")));
        }
        if context_width == 0 {
            return Err(Error::request("watermarking_config.context_width", "must be above 0"));
        }
        if u32::try_from(vocabulary).is_err() {
            return Err(Error::request("watermarking_config", format!("a vocabulary of {vocabulary} tokens is too large")));
        }
        let table = selfhash.then(|| {
            let mut table = Vec::new();
            TorchGenerator::seeded(key as u64).permutation(TABLE, TABLE, &mut table);
            table
        });
        let greens = (vocabulary as f64 * ratio) as usize;
        Ok(Self { vocabulary, greens, bias: bias as f32, key, context_width, table, green: Vec::new(), best: Vec::new() })
    }

    /// Computes the green list after a context.
    fn list(&mut self, context: &[u32]) {
        let Some(last) = context.last() else { return };
        let context = &context[context.len().saturating_sub(self.context_width)..];
        let seed = match &self.table {
            Some(table) => {
                let hash = |token: &u32| i64::from(table[*token as usize % TABLE]) + 1;
                context.iter().map(|token| self.key.wrapping_mul(hash(token)).wrapping_mul(hash(last))).min().map_or(0, i128::from)
            }
            None => i128::from(self.key) * i128::from(*last),
        };
        let seed = seed.rem_euclid(i128::from(u64::MAX)) as u64;
        TorchGenerator::seeded(seed).permutation(self.vocabulary, self.greens, &mut self.green);
    }
}

impl Processor for GreenListWatermark {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        if row.history.is_empty() || row.history.len() < self.context_width {
            return Ok(());
        }
        if logits.len() < self.vocabulary {
            let message = format!("the model gives {} logits for a vocabulary of {}", logits.len(), self.vocabulary);
            return Err(Error::request("watermarking_config", message));
        }
        if self.table.is_none() {
            self.list(row.history);
            self.green.iter().for_each(|token| logits[*token as usize] += self.bias);
            return Ok(());
        }
        top(logits.iter().copied(), CANDIDATES, &mut self.best);
        let mut context = row.history[row.history.len() - self.context_width..].to_vec();
        for i in 0..self.best.len() {
            let token = self.best[i].1;
            context.push(token as u32);
            self.list(&context);
            context.pop();
            if self.green.contains(&(token as u32)) {
                logits[token] += self.bias;
            }
        }
        Ok(())
    }
}

//! The SynthID-Text watermark: a tournament of coin flips that the last tokens and the secret keys decide,
//! <https://www.nature.com/articles/s41586-024-08025-4>.

use std::collections::{BTreeMap, VecDeque};

use super::torch_random::TorchGenerator;
use super::{Processor, Row};
use crate::config::Watermarking;
use crate::generate::scores::softmax_into;
use crate::{Error, Result};

/// `SynthIDTextWatermarkingConfig`
#[derive(Debug, Clone)]
pub struct SynthIdWatermark {
    ngram_len: usize,
    keys: Vec<i64>,
    flips: Vec<bool>,
    history_size: usize,
    skip_first_ngram_calls: bool,
    /// What is known of each row, by its place in the batch: beams that change places leave it behind, as in the reference.
    states: BTreeMap<usize, State>,
    probabilities: Vec<f32>,
    hashes: Vec<i64>,
}

#[derive(Debug, Clone)]
struct State {
    context: VecDeque<i64>,
    /// Hashes of contexts, the newest first.
    seen: VecDeque<i64>,
    calls: usize,
}

/// The largest table, as in the reference.
const LARGEST_TABLE: usize = 1 << 24;

impl SynthIdWatermark {
    /// From [`Watermarking::SynthId`].
    pub fn new(config: &Watermarking) -> Result<Self> {
        let Watermarking::SynthId {
            ngram_len,
            keys,
            context_history_size,
            sampling_table_seed,
            sampling_table_size,
            skip_first_ngram_calls,
        } = config
        else {
            return Err(Error::request("watermarking_config", "is not of SynthID"));
        };
        let wrong = |field: &str, message: &str| Err(Error::request(&format!("watermarking_config.{field}"), message));
        if *ngram_len == 0 || *ngram_len > 1 << 16 {
            return wrong("ngram_len", "must be above 0 and at most 65536");
        }
        if *sampling_table_size == 0 || *sampling_table_size > LARGEST_TABLE {
            return wrong("sampling_table_size", "must be above 0 and at most 2^24");
        }
        Ok(Self {
            ngram_len: *ngram_len,
            keys: keys.clone(),
            flips: TorchGenerator::seeded(*sampling_table_seed).coin_flips(*sampling_table_size),
            history_size: *context_history_size,
            skip_first_ngram_calls: *skip_first_ngram_calls,
            states: BTreeMap::new(),
            probabilities: Vec::new(),
            hashes: Vec::new(),
        })
    }

    pub(super) fn boxed(config: &Watermarking) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Self::new(config)?))
    }
}

impl Processor for SynthIdWatermark {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        let size = self.ngram_len - 1;
        let new = State { context: VecDeque::from(vec![0; size]), seen: VecDeque::new(), calls: 0 };
        let state = self.states.entry(row.index).or_insert(new);
        if state.calls > 0 {
            state.context.extend(row.history.last().map(|token| i64::from(*token)));
            state.context.pop_front();
        }
        state.calls += 1;
        if self.skip_first_ngram_calls && state.calls < self.ngram_len {
            return Ok(());
        }
        let context = state.context.iter().fold(1, |hash, token| accumulate(hash, *token));
        // The reference's memory is full of zeros at first.
        let is_repeated = state.seen.contains(&context) || (context == 0 && state.seen.len() < self.history_size);
        state.seen.push_front(context);
        state.seen.truncate(self.history_size);
        if is_repeated {
            return Ok(());
        }
        softmax_into(logits, &mut self.probabilities);
        self.hashes.clear();
        self.hashes.extend((0..logits.len()).map(|token| accumulate(context, token as i64)));
        for key in &self.keys {
            let is_head = |hash: i64| self.flips[accumulate(hash, *key).rem_euclid(self.flips.len() as i64) as usize];
            let heads = self.hashes.iter().map(|hash| f32::from(u8::from(is_head(*hash))));
            let mass = heads.clone().zip(&self.probabilities).map(|(g, p)| f64::from(g * p)).sum::<f64>() as f32;
            heads.zip(&mut self.probabilities).for_each(|(g, p)| *p *= 1.0 + g - mass);
        }
        for (x, p) in logits.iter_mut().zip(&self.probabilities) {
            let log = p.ln();
            *x = if log.is_finite() { log } else { f32::MIN };
        }
        Ok(())
    }
}

/// One step of a linear congruential generator, with a number added.
fn accumulate(hash: i64, number: i64) -> i64 {
    hash.wrapping_add(number).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)
}

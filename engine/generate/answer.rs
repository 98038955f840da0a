//! An answer while it is generated.

use super::generating::{Generated, Settings, prepared};
use super::processors::{Processors, Row};
use super::record::Record;
use super::sampling::{Sampler, argmax};
use super::stopping::{StopReason, Stopping};
use crate::{Error, Result};

/// An answer that is being generated.
pub(super) struct Answer {
    /// Which of the prompt's answers it is.
    index: usize,
    prompt: usize,
    history: Vec<u32>,
    processors: Processors,
    stopping: Stopping,
    sampler: Option<Sampler>,
    record: Record,
    reason: Option<StopReason>,
}

impl Answer {
    pub(super) fn new(index: usize, prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<Self> {
        let (processors, stopping) = prepared(prompt, source, settings)?;
        let seeded = |seed: u64| Sampler::new(seed.wrapping_add(index as u64));
        let sampler = settings.config.do_sample.then(|| settings.config.seed.map_or_else(Sampler::from_time, seeded));
        let record = Record::new(settings.config);
        Ok(Self { index, prompt: prompt.len(), history: prompt.to_vec(), processors, stopping, sampler, record, reason: None })
    }

    /// Whether it goes on.
    pub(super) fn is_open(&self) -> bool {
        self.reason.is_none()
    }

    /// The last token so far.
    pub(super) fn last(&self) -> u32 {
        self.history.last().copied().unwrap_or_default()
    }

    /// The next token, from its logits, and the logarithm of its probability where that is wanted.
    pub(super) fn choose(&mut self, logits: &mut [f32]) -> Result<(u32, Option<f32>)> {
        self.record.logits(logits);
        let row = Row { index: self.index, history: &self.history, ..Row::default() };
        self.processors.process(&[row], logits)?;
        let token = match &mut self.sampler {
            Some(sampler) => sampler.choose(logits)?,
            None => argmax(logits).ok_or_else(|| Error::unsupported("the model gives no logits"))?,
        };
        let log_prob = self.record.chosen(logits, token);
        let token = u32::try_from(token).unwrap_or(u32::MAX);
        self.history.push(token);
        self.reason = self.stopping.check(self.index, &self.history);
        Ok((token, log_prob))
    }

    pub(super) fn generated(mut self) -> Generated {
        let tokens = self.history.split_off(self.prompt);
        let Record { log_probs, logits, scores, .. } = self.record;
        Generated { tokens, reason: self.reason, log_probs, logits, scores, ..Generated::default() }
    }
}

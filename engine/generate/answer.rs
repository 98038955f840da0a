//! An answer while it is generated.

use super::drafts::Guess;
use super::generating::{Generated, Settings, prepared};
use super::processors::{Processors, Row};
use super::record::Record;
use super::sampling::{Sampler, argmax};
use super::scores::softmax_into;
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
    /// `assistant_ensemble_weight`
    weight: Option<f64>,
    record: Record,
    reason: Option<StopReason>,
    /// Whether it ended before it might.
    is_cut: bool,
}

impl Answer {
    pub(super) fn new(index: usize, prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<Self> {
        let (processors, stopping) = prepared(prompt, source, settings)?;
        let seeded = |seed: u64| Sampler::new(seed.wrapping_add(index as u64));
        let sampler = settings.config.do_sample.then(|| settings.config.seed.map_or_else(Sampler::from_time, seeded));
        let (record, weight) = (Record::new(settings.config), settings.config.assistant_ensemble_weight);
        Ok(Self {
            index,
            prompt: prompt.len(),
            history: prompt.to_vec(),
            processors,
            stopping,
            sampler,
            weight,
            record,
            reason: None,
            is_cut: false,
        })
    }

    /// Whether it goes on.
    pub(super) fn is_open(&self) -> bool {
        self.reason.is_none()
    }

    /// The last token so far.
    pub(super) fn last(&self) -> u32 {
        self.history.last().copied().unwrap_or_default()
    }

    /// Whether it ended before what holds it was met.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The tokens so far.
    pub(super) fn history(&self) -> &[u32] {
        &self.history
    }

    /// Whether an assistant's probabilities count (`assistant_ensemble_weight`).
    pub(super) fn weighs_guesses(&self) -> bool {
        self.weight.is_some()
    }

    /// How many tokens may come.
    pub(super) fn room(&self) -> usize {
        self.stopping.max_length().saturating_sub(self.history.len())
    }

    /// The next token, from its logits, those without the prompt where there is guidance, and a guess where there is one; and the
    /// logarithm of its probability where that is wanted.
    pub(super) fn choose(
        &mut self,
        logits: &mut [f32],
        unconditional: Option<&[f32]>,
        guess: Option<&Guess>,
    ) -> Result<(u32, Option<f32>)> {
        self.record.logits(logits);
        let row = Row { index: self.index, history: &self.history, unconditional, ..Row::default() };
        self.processors.process(&[row], logits)?;
        let token = match (&mut self.sampler, guess.filter(|guess| !guess.probabilities.is_empty())) {
            (Some(sampler), Some(guess)) => sampler.choose_or_keep(logits, guess.token as usize, &guess.probabilities, self.weight)?,
            (Some(sampler), None) => sampler.choose(logits)?,
            (None, Some(guess)) => weighed(logits, &guess.probabilities, self.weight)?,
            (None, _) => argmax(logits).ok_or_else(|| Error::unsupported("the model gives no logits"))?,
        };
        let log_prob = self.record.chosen(logits, token);
        let token = u32::try_from(token).unwrap_or(u32::MAX);
        self.history.push(token);
        self.reason = self.stopping.check(self.index, &self.history);
        // Where the caller ends it, that is as it should be.
        let limits = [StopReason::MaxLength, StopReason::MaxTime, StopReason::StopString];
        self.is_cut = self.reason.is_some_and(|reason| limits.contains(&reason)) && !self.processors.is_met(&self.history);
        Ok((token, log_prob))
    }

    pub(super) fn generated(mut self) -> Generated {
        let tokens = self.history.split_off(self.prompt);
        let Record { log_probs, logits, scores, .. } = self.record;
        Generated { tokens, reason: self.reason, is_cut: self.is_cut, log_probs, logits, scores, ..Generated::default() }
    }
}

/// The likeliest token where an assistant's probabilities count too.
fn weighed(logits: &[f32], guessed: &[f32], weight: Option<f64>) -> Result<usize> {
    let weight = weight.unwrap_or(1.0) as f32;
    let mut probabilities = Vec::new();
    softmax_into(logits, &mut probabilities);
    let guessed = guessed.iter().copied().chain(std::iter::repeat(0.0));
    probabilities.iter_mut().zip(guessed).for_each(|(p, q)| *p = weight * *p + (1.0 - weight) * q);
    argmax(&probabilities).ok_or_else(|| Error::unsupported("the model gives no logits"))
}

//! Assisted decoding: a smaller model guesses (`assistant_model`).

use std::sync::Arc;

use super::Guess;
use super::confidence::Confidence;
use super::other_tokens::{OtherTokens, Respell};
use crate::config::GenerationConfig;
use crate::generate::decoder::LanguageModel;
use crate::generate::generating::{Settings, prepared};
use crate::generate::processors::{Processors, Row};
use crate::generate::sampling::{Sampler, argmax};
use crate::generate::scores::softmax_into;
use crate::{Error, Result};

/// How an assistant guesses.
#[derive(Debug, Clone, PartialEq)]
pub struct AssistantConfig {
    /// So many tokens at once, at first.
    pub num_assistant_tokens: usize,
    /// Whether that number changes.
    pub num_assistant_tokens_schedule: Schedule,
    /// Guesses end behind one that is less likely than this; it follows how often guesses are right. 0 turns it off.
    pub assistant_confidence_threshold: f64,
    /// Where the assistant's tokens are others: how many of the model's are spelled again with the new ones.
    pub target_lookbehind: usize,
    /// And how many of the assistant's with its guesses.
    pub assistant_lookbehind: usize,
}

/// How many tokens are guessed at once as time goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Always as many.
    Constant,
    /// Two more when all were right, one less when not; each answer begins anew.
    Heuristic,
}

impl AssistantConfig {
    /// The settings in a configuration.
    ///
    /// # Errors
    /// A schedule that is none, and a number of tokens of 0.
    pub fn new(config: &GenerationConfig) -> Result<Self> {
        let schedule = match config.num_assistant_tokens_schedule.as_str() {
            "constant" => Schedule::Constant,
            "heuristic" | "heuristic_transient" => Schedule::Heuristic,
            other => {
                let message = format!("{other:?} is none of constant, heuristic, heuristic_transient");
                return Err(Error::request("num_assistant_tokens_schedule", message));
            }
        };
        if config.num_assistant_tokens == 0 {
            return Err(Error::request("num_assistant_tokens", "must be greater than 0"));
        }
        Ok(Self {
            num_assistant_tokens: config.num_assistant_tokens,
            num_assistant_tokens_schedule: schedule,
            assistant_confidence_threshold: config.assistant_confidence_threshold,
            target_lookbehind: config.target_lookbehind,
            assistant_lookbehind: config.assistant_lookbehind,
        })
    }
}

/// A model that guesses.
pub struct Assistant<M> {
    model: M,
    schedule: Schedule,
    num_tokens: usize,
    confidence: Confidence,
    /// The tokens that the model has.
    has: Vec<u32>,
    vocabulary: usize,
    processors: Option<Processors>,
    sampler: Option<Sampler>,
    /// Whether guesses are weighed (`assistant_ensemble_weight`), also where chance has no part in them.
    is_weighed: bool,
    eos: Vec<i64>,
    /// Where its tokens are not those of the model that it helps.
    other: Option<OtherTokens>,
    /// The positions that it has.
    positions: Option<usize>,
}

impl<M: LanguageModel> Assistant<M> {
    /// A model without rows.
    pub fn new(model: M, config: &AssistantConfig) -> Self {
        Self {
            model,
            schedule: config.num_assistant_tokens_schedule,
            num_tokens: config.num_assistant_tokens,
            confidence: Confidence::new(config.assistant_confidence_threshold as f32),
            has: Vec::new(),
            vocabulary: 0,
            processors: None,
            sampler: None,
            is_weighed: false,
            eos: Vec::new(),
            other: None,
            positions: None,
        }
    }

    /// A model without rows that has other tokens than the one that it helps.
    pub fn with_other_tokens(model: M, config: &AssistantConfig, respell: Arc<dyn Respell>) -> Self {
        let other = OtherTokens::new(respell, config.target_lookbehind, config.assistant_lookbehind);
        Self { other: Some(other), ..Self::new(model, config) }
    }

    /// With so many positions: where a text is longer it has no guesses.
    #[must_use]
    pub fn up_to(self, positions: Option<usize>) -> Self {
        Self { positions, ..self }
    }

    /// Takes over how the answer's own tokens are chosen; but guidance is too dear for guesses, and other tokens are guessed greedily.
    pub(super) fn begin(&mut self, prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<()> {
        if let Some(other) = &self.other {
            self.eos = other.respell.ends().to_vec();
            return Ok(());
        }
        let config = GenerationConfig { guidance_scale: None, ..settings.config.clone() };
        let (processors, _) = prepared(prompt, source, &Settings { config: &config, ..settings.clone() })?;
        self.processors = Some(processors);
        // Not the numbers that choose the answer's own tokens.
        let seeded = |seed: u64| Sampler::new(!seed);
        self.sampler = config.do_sample.then(|| config.seed.map_or_else(Sampler::from_time, seeded));
        self.is_weighed = config.assistant_ensemble_weight.is_some();
        self.eos = config.eos_token_id.unwrap_or_default();
        Ok(())
    }

    pub(super) fn guess(&mut self, history: &[u32], most: usize) -> Result<Vec<Guess>> {
        let Some(mut other) = self.other.take() else { return self.guess_own(history, most) };
        let guesses = if most > 0 { self.guess_other(&mut other, history, most) } else { Ok(Vec::new()) };
        self.other = Some(other);
        guesses
    }

    /// Guesses in its own tokens, as tokens of the model.
    fn guess_other(&mut self, other: &mut OtherTokens, history: &[u32], most: usize) -> Result<Vec<Guess>> {
        let spelled = other.spelled(history)?;
        if spelled.is_empty() {
            return Ok(Vec::new());
        }
        let guesses: Vec<u32> = self.guess_own(&spelled, self.num_tokens)?.iter().map(|guess| guess.token).collect();
        let tokens = other.back(history, spelled, &guesses)?;
        Ok(tokens.into_iter().take(most).map(|token| Guess { token, probabilities: Vec::new() }).collect())
    }

    fn guess_own(&mut self, history: &[u32], most: usize) -> Result<Vec<Guess>> {
        // The last guess itself does not run.
        let room = self.positions.map_or(usize::MAX, |positions| (positions + 1).saturating_sub(history.len()));
        let most = most.min(self.num_tokens).min(room);
        let mut guesses: Vec<Guess> = Vec::new();
        if most == 0 {
            return Ok(guesses);
        }
        let mut text = history.to_vec();
        let mut logits = self.catch_up(history)?;
        loop {
            if let Some(processors) = &mut self.processors {
                processors.process(&[Row { history: &text, ..Row::default() }], &mut logits)?;
            }
            let mut probabilities = Vec::new();
            softmax_into(&logits, &mut probabilities);
            let chosen = match &mut self.sampler {
                Some(sampler) => sampler.choose(&logits)?,
                None => argmax(&logits).ok_or_else(|| Error::unsupported("the assistant model gives no logits"))?,
            };
            let likely = probabilities.get(chosen).copied().unwrap_or(0.0);
            if self.sampler.is_none() && !self.is_weighed {
                probabilities.clear();
            }
            let token = u32::try_from(chosen).unwrap_or(u32::MAX);
            guesses.push(Guess { token, probabilities });
            text.push(token);
            let is_sure = self.confidence.is_enough(likely);
            if guesses.len() >= most || !is_sure || self.eos.contains(&i64::from(token)) {
                break;
            }
            logits = self.model.forward(&[&[token]])?;
            self.has.push(token);
        }
        Ok(guesses)
    }

    /// Brings the model to the end of the text; gives the logits of what follows.
    fn catch_up(&mut self, history: &[u32]) -> Result<Vec<f32>> {
        if self.has.is_empty() {
            let logits = self.model.forward(&[history])?;
            (self.has, self.vocabulary) = (history.to_vec(), logits.len());
            return Ok(logits);
        }
        let common = self.has.iter().zip(history).take_while(|(a, b)| a == b).count();
        let kept = common.min(history.len().saturating_sub(1));
        if kept < self.has.len() {
            self.model.cut(kept)?;
            self.has.truncate(kept);
        }
        let mut logits = Vec::new();
        while let Some(rest) = history.get(self.has.len()..).filter(|rest| !rest.is_empty()) {
            logits = self.model.extend(rest)?;
            // A model may take fewer than it is given.
            let taken = (logits.len() / self.vocabulary.max(1)).clamp(1, rest.len());
            self.has.extend(rest.iter().take(taken));
            logits.drain(..logits.len().saturating_sub(self.vocabulary));
        }
        Ok(logits)
    }

    pub(super) fn judged(&mut self, right: usize, checked: usize) {
        if self.schedule == Schedule::Heuristic && checked > 0 {
            self.num_tokens = if right == checked { self.num_tokens + 2 } else { self.num_tokens.saturating_sub(1).max(1) };
        }
        // How likely a token was that is right in other tokens is not known.
        let (right, checked) = if self.other.is_some() { (0, 0) } else { (right, checked) };
        self.confidence.judged(right, checked);
    }
}

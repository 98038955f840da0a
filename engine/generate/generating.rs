//! The loop: prompts in, tokens out.

use std::borrow::Cow;
use std::sync::Arc;

use super::beams::{BeamConfig, BeamSearch, Choice};
use super::decoder::LanguageModel;
use super::log_softmax;
use super::processors::{Context, Processors, Row};
use super::sampling::{Sampler, argmax};
use super::stopping::{StopReason, Stopping, TokenBytes};
use crate::config::GenerationConfig;
use crate::{Error, Result};

/// The bytes of each token.
pub type SharedTokenBytes = Arc<dyn Fn(u32) -> Cow<'static, [u8]> + Send + Sync>;

/// What generation needs to know besides the prompts.
#[derive(Clone)]
pub struct Settings<'a> {
    /// How to generate.
    pub config: &'a GenerationConfig,
    /// `vocab_size` of `config.json`.
    pub vocab_size: usize,
    /// The positions that the model has, if it says so.
    pub max_position_embeddings: Option<usize>,
    /// The bytes of a token, for stop strings.
    pub token_bytes: Option<SharedTokenBytes>,
}

/// One answer to a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The new tokens, the end token included.
    pub tokens: Vec<u32>,
    /// Why it ended; beam search does not say.
    pub reason: Option<StopReason>,
    /// The score of a beam.
    pub score: Option<f32>,
}

/// Answers prompts: for each `num_return_sequences` answers, the best first. A prompt that cannot be answered fails alone where
/// it is wrong in itself; what fails in the model fails all.
///
/// `make` gives a model without rows. `observe` is told each new token of sampling and greedy search: which prompt, which of its
/// answers, the token; it may end everything by answering `false`.
pub fn generate<M: LanguageModel>(
    make: impl Fn() -> Result<M>,
    prompts: &[&[u32]],
    settings: &Settings<'_>,
    observe: &mut dyn FnMut(usize, usize, u32) -> bool,
) -> Result<Vec<Result<Vec<Generated>>>> {
    supported(settings.config)?;
    if settings.config.num_beams > 1 {
        return Ok(prompts.iter().map(|prompt| beams(&mut make()?, prompt, settings)).collect());
    }
    let mut rows: Vec<Result<Vec<Answer>>> = prompts.iter().map(|prompt| Answer::all(prompt, settings)).collect();
    let good: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].is_ok()).collect();
    if good.is_empty() {
        return Ok(rows.into_iter().map(|row| row.map(|_| Vec::new())).collect());
    }
    let mut model = make()?;
    let logits = model.forward(&good.iter().map(|&i| prompts[i]).collect::<Vec<_>>())?;
    let count = settings.config.num_return_sequences;
    // Each prompt ran once, for all of its answers.
    let mut running: Vec<(usize, &mut Answer)> = rows
        .iter_mut()
        .enumerate()
        .filter_map(|(i, row)| row.as_mut().ok().map(|row| (i, row)))
        .flat_map(|(i, row)| row.iter_mut().map(move |a| (i, a)))
        .collect();
    let copies: Vec<usize> = (0..running.len()).map(|row| row / count).collect();
    let vocabulary = logits.len() / good.len();
    let mut logits: Vec<f32> = copies.iter().flat_map(|&row| logits[row * vocabulary..][..vocabulary].iter().copied()).collect();
    if count > 1 {
        model.select(&copies)?;
    }
    loop {
        let mut open = Vec::with_capacity(running.len());
        for (row, (prompt, answer)) in running.iter_mut().enumerate() {
            let token = answer.choose(&mut logits[row * vocabulary..][..vocabulary])?;
            if !observe(*prompt, answer.index, token) {
                answer.reason.get_or_insert(StopReason::Test);
                return Ok(answers(rows));
            }
            if answer.reason.is_none() {
                open.push(row);
            }
        }
        if open.is_empty() {
            break;
        }
        if open.len() < running.len() {
            // Rows that have ended cost nothing any more.
            model.select(&open)?;
            running.retain(|(_, answer)| answer.reason.is_none());
        }
        let last: Vec<[u32; 1]> = running.iter().map(|(_, answer)| [answer.history.last().copied().unwrap_or_default()]).collect();
        logits = model.forward(&last.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())?;
    }
    Ok(answers(rows))
}

fn answers(rows: Vec<Result<Vec<Answer>>>) -> Vec<Result<Vec<Generated>>> {
    rows.into_iter().map(|row| row.map(|answers| answers.into_iter().map(Answer::generated).collect())).collect()
}

/// What the configuration may say and nothing here does yet is an error rather than ignored.
fn supported(config: &GenerationConfig) -> Result<()> {
    let refused = [
        ("guidance_scale", config.guidance_scale.is_some_and(|scale| scale != 1.0)),
        ("prompt_lookup_num_tokens", config.prompt_lookup_num_tokens.is_some()),
        ("output_scores", config.output_scores),
        ("output_logits", config.output_logits),
    ];
    match refused.iter().find(|(_, asked)| *asked) {
        Some((name, _)) => Err(Error::unsupported(format!("{name}: text generation here does not have it"))),
        None => Ok(()),
    }
}

/// An answer that is being generated.
struct Answer {
    /// Which of the prompt's answers it is.
    index: usize,
    prompt: usize,
    history: Vec<u32>,
    processors: Processors,
    stopping: Stopping,
    sampler: Option<Sampler>,
    reason: Option<StopReason>,
}

impl Answer {
    fn all(prompt: &[u32], settings: &Settings<'_>) -> Result<Vec<Self>> {
        (0..settings.config.num_return_sequences).map(|index| Self::new(index, prompt, settings)).collect()
    }

    fn new(index: usize, prompt: &[u32], settings: &Settings<'_>) -> Result<Self> {
        let (processors, stopping) = prepared(prompt, settings)?;
        let seeded = |seed: u64| Sampler::new(seed.wrapping_add(index as u64));
        let sampler = settings.config.do_sample.then(|| settings.config.seed.map_or_else(Sampler::from_time, seeded));
        Ok(Self { index, prompt: prompt.len(), history: prompt.to_vec(), processors, stopping, sampler, reason: None })
    }

    /// The next token, from its logits.
    fn choose(&mut self, logits: &mut [f32]) -> Result<u32> {
        let row = Row { index: self.index, history: &self.history, ..Row::default() };
        self.processors.process(&[row], logits)?;
        let token = match &mut self.sampler {
            Some(sampler) => sampler.choose(logits)?,
            None => argmax(logits).ok_or_else(|| Error::unsupported("the model gives no logits"))?,
        };
        let token = u32::try_from(token).unwrap_or(u32::MAX);
        self.history.push(token);
        self.reason = self.stopping.check(self.index, &self.history);
        Ok(token)
    }

    fn generated(mut self) -> Generated {
        Generated { tokens: self.history.split_off(self.prompt), reason: self.reason, score: None }
    }
}

/// What changes the logits after a prompt, and what ends its answers.
fn prepared(prompt: &[u32], settings: &Settings<'_>) -> Result<(Processors, Stopping)> {
    let config = settings.config;
    if prompt.is_empty() {
        return Err(Error::request("inputs", "a prompt without any tokens"));
    }
    let lengths = config.lengths(prompt.len(), settings.max_position_embeddings)?;
    let context = Context {
        prompt_length: prompt.len(),
        max_length: lengths.max_length,
        min_length: lengths.min_length,
        vocab_size: settings.vocab_size,
        encoder_input_ids: &[prompt.to_vec()],
        ..Context::default()
    };
    let bytes = settings.token_bytes.clone().map(|bytes| -> TokenBytes { Box::new(move |token| bytes(token)) });
    Ok((Processors::new(config, context)?, Stopping::new(config, lengths.max_length, bytes)?))
}

/// Beam search from one prompt.
fn beams(model: &mut dyn LanguageModel, prompt: &[u32], settings: &Settings<'_>) -> Result<Vec<Generated>> {
    let config = settings.config;
    let (mut processors, mut stopping) = prepared(prompt, settings)?;
    let lengths = config.lengths(prompt.len(), settings.max_position_embeddings)?;
    let mut search = BeamSearch::new(BeamConfig::new(config, lengths.max_length), &[prompt.to_vec()])?;
    let mut sampler = config.do_sample.then(|| config.seed.map_or_else(Sampler::from_time, Sampler::new));
    let first = model.forward(&[prompt])?;
    // The prompt ran once, for all beams.
    model.select(&vec![0; config.num_beams])?;
    let mut logits = first.repeat(config.num_beams);
    loop {
        let vocabulary = logits.len() / search.rows().count().max(1);
        logits.chunks_exact_mut(vocabulary.max(1)).for_each(log_softmax);
        let rows: Vec<Row<'_>> = search.rows().map(|(index, history)| Row { index, history, ..Row::default() }).collect();
        processors.process(&rows, &mut logits)?;
        let mut choice = sampler.as_mut().map_or(Choice::Best, Choice::Sample);
        let continued = search.advance(&logits, &mut choice, &mut |row, history| stopping.check(row, history).is_some())?;
        if search.is_done() {
            break;
        }
        model.select(&continued)?;
        let last: Vec<[u32; 1]> = search.rows().map(|(_, history)| [history.last().copied().unwrap_or_default()]).collect();
        logits = model.forward(&last.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())?;
    }
    let found = search.finish().into_iter().next().unwrap_or_default();
    Ok(found.into_iter().map(|found| Generated { tokens: found.tokens, reason: None, score: Some(found.score) }).collect())
}

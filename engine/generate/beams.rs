//! Beam search and beam sampling, as version 5 of the reference does them (`_beam_search`): a fixed number of open beams per input,
//! and as many finished sequences, of which the best stay.
//!
//! Scores are float32 like those of the reference, and so are the large negative numbers that it marks the impossible with: rounding is
//! part of what is compared.

use super::rank::{Ranked, top};
use super::sampling::Sampler;
use crate::config::{EarlyStopping, GenerationConfig};
use crate::{Error, Result};

/// A score that nothing real reaches.
const IMPOSSIBLE: f32 = -1e9;

/// The settings of a beam search.
#[derive(Debug, Clone, PartialEq)]
pub struct BeamConfig {
    /// Open beams per input.
    pub num_beams: usize,
    /// How many of the finished sequences are wanted, at most `num_beams`.
    pub num_return_sequences: usize,
    /// Scores are divided by the number of new tokens to this power: above 0 favours long answers.
    pub length_penalty: f64,
    /// When to stop.
    pub early_stopping: EarlyStopping,
    /// How many end tokens there are: each beam could end in so many ways, and must have one more way to go on.
    pub eos_tokens: usize,
    /// Prompt and new tokens.
    pub max_length: usize,
}

impl BeamConfig {
    /// The settings in a configuration.
    pub fn new(config: &GenerationConfig, max_length: usize) -> Self {
        Self {
            num_beams: config.num_beams,
            num_return_sequences: config.num_return_sequences,
            length_penalty: config.length_penalty,
            early_stopping: config.early_stopping,
            eos_tokens: config.eos_token_id.as_ref().map_or(0, Vec::len),
            max_length,
        }
    }

    /// How many continuations each input keeps to choose from.
    fn candidates(&self) -> usize {
        (1 + self.eos_tokens).max(2).saturating_mul(self.num_beams)
    }
}

/// A caller's choice: from the summed scores of `beams · vocabulary` continuations and how many are wanted, their places.
pub type OwnChoice<'a> = &'a mut dyn FnMut(&[f32], usize) -> Result<Vec<usize>>;

/// How continuations are chosen.
pub enum Choice<'a> {
    /// The best ones.
    Best,
    /// By chance.
    Sample(&'a mut Sampler),
    /// By chance, and where too few have a probability, behind those the best that have none: a constraint may leave few ways on.
    SampleFew(&'a mut Sampler),
    /// By the caller.
    Own(OwnChoice<'a>),
}

/// An answer of beam search.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The new tokens, the end token included.
    pub tokens: Vec<u32>,
    /// The sum of the logarithms of the probabilities, divided by the length penalty.
    pub score: f32,
    /// For each new token the row (`input · beams + beam`) whose logits it came from.
    pub beam_indices: Vec<usize>,
}

/// The state of a beam search over a batch.
#[derive(Debug, Clone)]
pub struct BeamSearch {
    config: BeamConfig,
    prompt_length: usize,
    length: usize,
    inputs: Vec<Input>,
    is_done: bool,
    scores: Vec<f32>,
    best: Vec<Ranked>,
}

#[derive(Debug, Clone)]
struct Input {
    open: Vec<Beam>,
    finished: Vec<Beam>,
    can_improve: bool,
}

#[derive(Debug, Clone)]
struct Beam {
    history: Vec<u32>,
    rows: Vec<usize>,
    score: f32,
    is_finished: bool,
}

impl BeamSearch {
    /// A search from prompts of the same (padded) length.
    pub fn new(config: BeamConfig, prompts: &[Vec<u32>]) -> Result<Self> {
        let prompt_length = prompts.first().map_or(0, Vec::len);
        if prompts.is_empty() || prompts.iter().any(|prompt| prompt.len() != prompt_length) {
            return Err(Error::request("inputs", "beam search needs prompts of the same length"));
        }
        if config.num_beams == 0 || config.num_return_sequences > config.num_beams || config.max_length <= prompt_length {
            let message = format!(
                "{} sequences of up to {} tokens cannot come of {} beams",
                config.num_return_sequences, config.max_length, config.num_beams
            );
            return Err(Error::request("num_beams", message));
        }
        let inputs = prompts.iter().map(|prompt| {
            let beam = |score| Beam { history: prompt.clone(), rows: Vec::new(), score, is_finished: false };
            // All beams begin with the same prompt: only the first may go on, or all would be the same.
            let open = (0..config.num_beams).map(|i| beam(if i == 0 { 0.0 } else { IMPOSSIBLE })).collect();
            Input { open, finished: vec![beam(IMPOSSIBLE); config.num_beams], can_improve: true }
        });
        let inputs = inputs.collect();
        Ok(Self { config, prompt_length, length: prompt_length, inputs, is_done: false, scores: Vec::new(), best: Vec::new() })
    }

    /// The rows to run: their places (`input · beams + beam`) and histories. Inputs whose answers are settled are left out.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let beams = self.config.num_beams;
        let open = self.inputs.iter().enumerate().filter(|(_, input)| !self.is_settled(input));
        open.flat_map(move |(i, input)| input.open.iter().enumerate().map(move |(b, beam)| (i * beams + b, beam.history.as_slice())))
    }

    /// Whether the answers are found.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// One step: from the processed logarithms of the probabilities of [`BeamSearch::rows`], `(rows, vocabulary)`, and a test for whether
    /// a continuation ends. Gives for each row of the next step the row of this step that it continues, whose cache it needs.
    pub fn advance(
        &mut self,
        log_probs: &[f32],
        choice: &mut Choice<'_>,
        ends: &mut dyn FnMut(usize, &[u32]) -> bool,
    ) -> Result<Vec<usize>> {
        let beams = self.config.num_beams;
        let rows = self.rows().count();
        let vocabulary = log_probs.len().checked_div(rows).filter(|v| *v > 0 && v * rows == log_probs.len());
        let vocabulary = vocabulary.ok_or_else(|| Error::request("num_beams", format!("{} scores for {rows} rows", log_probs.len())))?;
        if self.config.candidates() > beams.saturating_mul(vocabulary) {
            let message =
                format!("{beams} beams need {} continuations, and a vocabulary of {vocabulary} has too few", self.config.candidates());
            return Err(Error::request("num_beams", message));
        }
        let mut all_end = true;
        let mut blocks = log_probs.chunks_exact(beams * vocabulary);
        for i in 0..self.inputs.len() {
            if self.is_settled(&self.inputs[i]) {
                continue;
            }
            let Some(block) = blocks.next() else { break };
            let candidates = self.candidates(i, block, vocabulary, choice)?;
            let ended: Vec<bool> = candidates.iter().map(|beam| ends(i, &beam.history)).collect();
            all_end &= ended.iter().all(|e| *e);
            self.continue_with(i, &candidates, &ended);
            self.collect_finished(i, candidates, &ended);
        }
        self.length += 1;
        self.judge();
        self.is_done = all_end || self.length >= self.config.max_length || self.inputs.iter().all(|input| self.is_settled(input));
        Ok(self.rows().filter_map(|(row, _)| self.inputs[row / beams].open[row % beams].rows.last().copied()).collect())
    }

    /// The answers of each input, the best first.
    pub fn finish(self) -> Vec<Vec<Hypothesis>> {
        let (count, prompt) = (self.config.num_return_sequences, self.prompt_length);
        let hypothesis = |beam: Beam| Hypothesis {
            tokens: beam.history.get(prompt..).unwrap_or_default().to_vec(),
            score: beam.score,
            beam_indices: beam.rows,
        };
        self.inputs.into_iter().map(|input| input.finished.into_iter().take(count).map(hypothesis).collect()).collect()
    }

    /// Nothing that an input could still find would change its answers.
    fn is_settled(&self, input: &Input) -> bool {
        !input.can_improve || (self.config.early_stopping == EarlyStopping::Always && input.is_full())
    }

    /// The continuations to choose from, best first, with their summed scores.
    fn candidates(&mut self, i: usize, log_probs: &[f32], vocabulary: usize, choice: &mut Choice<'_>) -> Result<Vec<Beam>> {
        let (beams, wanted) = (self.config.num_beams, self.config.candidates());
        let open = &self.inputs[i].open;
        let summed = log_probs.chunks_exact(vocabulary).zip(open).flat_map(|(row, beam)| row.iter().map(|x| x + beam.score));
        let places: Vec<Ranked> = match choice {
            Choice::Best => {
                top(summed, wanted, &mut self.best);
                self.best.clone()
            }
            Choice::Sample(_) | Choice::SampleFew(_) | Choice::Own(_) => {
                self.scores.clear();
                self.scores.extend(summed);
                let places = match choice {
                    Choice::Sample(sampler) => sampler.choose_many(&self.scores, wanted)?,
                    Choice::SampleFew(sampler) => sampler.choose_few(&self.scores, wanted)?,
                    Choice::Own(choose) => choose(&self.scores, wanted)?,
                    Choice::Best => Vec::new(),
                };
                let ranked = places.iter().map(|place| self.scores.get(*place).map(|score| (*score, *place)));
                ranked
                    .collect::<Option<Vec<_>>>()
                    .filter(|p| p.len() == wanted)
                    .ok_or_else(|| Error::request("num_beams", "the choice of continuations does not fit"))?
            }
        };
        let extended = |(score, place): Ranked| {
            let from = &open[place / vocabulary];
            let mut history = Vec::with_capacity(from.history.len() + 1);
            history.extend_from_slice(&from.history);
            history.push((place % vocabulary) as u32);
            let mut rows = from.rows.clone();
            rows.push(i * beams + place / vocabulary);
            Beam { history, rows, score, is_finished: false }
        };
        Ok(places.into_iter().map(extended).collect())
    }

    /// The best continuations that do not end are the next open beams.
    fn continue_with(&mut self, i: usize, candidates: &[Beam], ended: &[bool]) {
        let scores = candidates.iter().zip(ended).map(|(beam, ended)| beam.score + f32::from(u8::from(*ended)) * IMPOSSIBLE);
        top(scores, self.config.num_beams, &mut self.best);
        self.inputs[i].open = self.best.iter().map(|(score, place)| Beam { score: *score, ..candidates[*place].clone() }).collect();
    }

    /// Those of the first `num_beams` continuations that end join the finished sequences, of which the best stay.
    fn collect_finished(&mut self, i: usize, candidates: Vec<Beam>, ended: &[bool]) {
        let beams = self.config.num_beams;
        let penalty = ((self.length + 1 - self.prompt_length) as f64).powf(self.config.length_penalty) as f32;
        let input = &mut self.inputs[i];
        let mut merged = std::mem::take(&mut input.finished);
        for (place, (mut beam, ended)) in candidates.into_iter().zip(ended).enumerate() {
            beam.is_finished = *ended && place < beams;
            beam.score /= penalty;
            if !beam.is_finished {
                beam.score += IMPOSSIBLE;
            }
            merged.push(beam);
        }
        top(merged.iter().map(|beam| beam.score), beams, &mut self.best);
        input.finished = self.best.iter().map(|(_, place)| merged[*place].clone()).collect();
    }

    /// Whether the best open beam of each input could still beat its worst finished sequence.
    fn judge(&mut self) {
        let never = self.config.early_stopping == EarlyStopping::Never && self.config.length_penalty > 0.0;
        let length = if never { self.config.max_length } else { self.length } - self.prompt_length;
        let penalty = (length as f64).powf(self.config.length_penalty) as f32;
        for input in &mut self.inputs {
            let best = input.open.first().map_or(f32::NEG_INFINITY, |beam| beam.score / penalty);
            let worst = input.finished.iter().map(|beam| beam.score).fold(f32::INFINITY, f32::min);
            let bars = input.finished.iter().map(|beam| if beam.is_finished { worst } else { IMPOSSIBLE });
            input.can_improve &= bars.into_iter().any(|bar| best > bar);
        }
    }
}

impl Input {
    fn is_full(&self) -> bool {
        self.finished.iter().all(|beam| beam.is_finished)
    }
}

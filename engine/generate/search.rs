//! Beam search with a model.

use super::beams::{BeamConfig, BeamSearch, Choice, Hypothesis};
use super::decoder::LanguageModel;
use super::generating::{Generated, Settings, beyond, prepared_all, room_for};
use super::guide::Guide;
use super::log_softmax;
use super::processors::Row;
use super::sampling::Sampler;
use crate::Result;
use crate::config::GenerationConfig;

/// Beam search from prompts of one length.
///
/// `guide` is a second model for `guidance_scale`, without rows.
pub(super) fn beams<M: LanguageModel>(
    model: &mut M,
    guide: Option<M>,
    prompts: &[&[u32]],
    settings: &Settings<'_>,
) -> Result<Vec<Vec<Generated>>> {
    let (config, count) = (settings.config, settings.config.num_beams);
    let histories: Vec<Vec<u32>> = prompts.iter().map(|prompt| prompt.to_vec()).collect();
    let sources = if model.sources().is_empty() { &histories } else { model.sources() };
    let prompt = prompts.first().copied().unwrap_or_default();
    let (mut processors, mut stopping) = prepared_all(prompt, sources, settings)?;
    let lengths = config.lengths(prompt.len(), settings.max_position_embeddings)?;
    let mut search = BeamSearch::new(BeamConfig::new(config, lengths.max_length), &histories)?;
    let mut sampler = config.do_sample.then(|| config.seed.map_or_else(Sampler::from_time, Sampler::new));
    let positions = settings.max_position_embeddings;
    let first = model.forward(prompts).map_err(|error| beyond(error, prompt.len(), positions))?;
    let vocabulary = first.len() / prompts.len().max(1);
    room_for(prompts.len() * count, vocabulary, config)?;
    // Each prompt ran once, for all of its beams.
    model.select(&(0..prompts.len() * count).map(|row| row / count).collect::<Vec<_>>())?;
    let mut logits: Vec<f32> = first.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
    let negative = config.negative_prompt_ids.as_deref();
    let mut guide = guide.map(|guide| Guide::new(guide, prompts, negative, count)).transpose()?;
    let mut record = BeamRecord::new(config);
    loop {
        record.logits(search.rows().map(|(row, _)| row), &logits, vocabulary);
        logits.chunks_exact_mut(vocabulary.max(1)).for_each(log_softmax);
        let mut without = guide.iter().flat_map(|guide| guide.logits.chunks(vocabulary.max(1)));
        let row = |(index, history)| Row { index, history, unconditional: without.next(), ..Row::default() };
        let rows: Vec<Row<'_>> = search.rows().map(row).collect();
        processors.process(&rows, &mut logits)?;
        record.scores(&logits, vocabulary);
        let mut choice = match &mut sampler {
            Some(sampler) if settings.own_processors.is_some() => Choice::SampleFew(sampler),
            Some(sampler) => Choice::Sample(sampler),
            None => Choice::Best,
        };
        let ran: Vec<usize> = rows.iter().map(|row| row.index).collect();
        let continued = search.advance(&logits, &mut choice, &mut |row, history| stopping.check(row, history).is_some())?;
        if search.is_done() {
            break;
        }
        // Prompts whose answers are settled have no rows any more.
        let places = |rows: &[usize]| rows.iter().filter_map(|row| ran.iter().position(|ran| ran == row)).collect::<Vec<_>>();
        model.select(&places(&continued))?;
        let last: Vec<[u32; 1]> = search.rows().map(|(_, history)| [history.last().copied().unwrap_or_default()]).collect();
        let last: Vec<&[u32]> = last.iter().map(<[u32; 1]>::as_slice).collect();
        let length = search.rows().map(|(_, history)| history.len()).max().unwrap_or(0);
        logits = model.forward(&last).map_err(|error| beyond(error, length, positions))?;
        if let Some(guide) = &mut guide {
            let rows: Vec<usize> = search.rows().map(|(row, _)| row).collect();
            if rows.len() < ran.len() {
                guide.select(&places(&rows))?;
            }
            guide.forward(&last)?;
        }
    }
    let mut answer = |input: usize, place: usize, found: Hypothesis| {
        let history = [prompts.get(input).copied().unwrap_or_default(), &found.tokens].concat();
        let (logits, scores) = record.of_beam(input * count + place);
        Generated {
            log_probs: record.log_probs(&found),
            beam_indices: found.beam_indices.iter().map(|row| row % count).collect(),
            tokens: found.tokens,
            score: Some(found.score),
            is_cut: !processors.is_met(&history),
            logits,
            scores,
            ..Generated::default()
        }
    };
    let mut answers = |(input, found): (usize, Vec<Hypothesis>)| {
        found.into_iter().enumerate().map(|(place, found)| answer(input, place, found)).collect()
    };
    Ok(search.finish().into_iter().enumerate().map(&mut answers).collect())
}

/// The numbers behind the steps of a search, as far as the configuration asks for them.
struct BeamRecord<'a> {
    config: &'a GenerationConfig,
    steps: Vec<BeamStep>,
}

#[derive(Default)]
struct BeamStep {
    /// The rows that ran, by their places among all beams.
    rows: Vec<usize>,
    logits: Vec<Vec<f32>>,
    scores: Vec<Vec<f32>>,
}

impl<'a> BeamRecord<'a> {
    fn new(config: &'a GenerationConfig) -> Self {
        Self { config, steps: Vec::new() }
    }

    fn logits(&mut self, rows: impl Iterator<Item = usize>, logits: &[f32], vocabulary: usize) {
        let GenerationConfig { output_logits, output_scores, logprobs, .. } = *self.config;
        if output_logits || output_scores || logprobs {
            let kept = if output_logits || logprobs { split(logits, vocabulary) } else { Vec::new() };
            self.steps.push(BeamStep { rows: rows.collect(), logits: kept, scores: Vec::new() });
        }
    }

    fn scores(&mut self, scores: &[f32], vocabulary: usize) {
        if let Some(step) = self.steps.last_mut().filter(|_| self.config.output_scores) {
            step.scores = split(scores, vocabulary);
        }
    }

    /// The logarithms of the probabilities that the model gave to the tokens of an answer.
    fn log_probs(&self, found: &Hypothesis) -> Vec<f32> {
        let steps = self.steps.iter().filter(|_| self.config.logprobs);
        let of = |((step, row), token): ((&BeamStep, &usize), &u32)| {
            let place = step.rows.iter().position(|ran| ran == row)?;
            let mut logits = step.logits.get(place)?.clone();
            log_softmax(&mut logits);
            logits.get(*token as usize).copied()
        };
        steps.zip(&found.beam_indices).zip(&found.tokens).filter_map(of).collect()
    }

    /// Logits and scores of a beam at each step, where there are as many answers as beams.
    fn of_beam(&self, row: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let config = self.config;
        let steps = self.steps.iter().filter(|_| config.num_return_sequences == config.num_beams);
        let places = steps.filter_map(|step| Some((step, step.rows.iter().position(|ran| *ran == row)?)));
        let (logits, scores): (Vec<_>, Vec<_>) = places.map(|(step, place)| (step.logits.get(place), step.scores.get(place))).unzip();
        let logits = logits.into_iter().filter(|_| config.output_logits).flatten().cloned().collect();
        (logits, scores.into_iter().flatten().cloned().collect())
    }
}

fn split(numbers: &[f32], vocabulary: usize) -> Vec<Vec<f32>> {
    numbers.chunks(vocabulary.max(1)).map(<[f32]>::to_vec).collect()
}

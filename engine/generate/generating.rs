//! The loop: prompts in, tokens out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::beams::{BeamConfig, BeamSearch, Choice, Hypothesis};
use super::decoder::LanguageModel;
use super::log_softmax;
use super::processors::{Context, Processor, Processors, Row};
use super::sampling::{Sampler, argmax};
use super::stopping::{StopReason, Stopping, TokenBytes};
use crate::config::GenerationConfig;
use crate::{Error, ErrorKind, Result};

/// The bytes of each token.
pub type SharedTokenBytes = Arc<dyn Fn(u32) -> Cow<'static, [u8]> + Send + Sync>;

/// Makes the caller's own processors for an answer, or the beams of one, from the length of its prompt.
pub type OwnProcessors = Arc<dyn Fn(usize) -> Vec<Box<dyn Processor>> + Send + Sync>;

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
    /// The caller's own processors.
    pub own_processors: Option<OwnProcessors>,
}

/// One answer to a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The new tokens, the end token included; beam search fills them up to the longest answer, as Python does.
    pub tokens: Vec<u32>,
    /// Why it ended; beam search does not say.
    pub reason: Option<StopReason>,
    /// The score of a beam.
    pub score: Option<f32>,
}

/// Answers prompts: for each `num_return_sequences` answers, the best first. A prompt that cannot be answered fails alone where
/// it is wrong in itself; what fails in the model fails all.
///
/// `make` gives a model without rows for some of the prompts, by their places.
pub fn generate<M: LanguageModel>(
    make: impl Fn(&[usize]) -> Result<M>,
    prompts: &[&[u32]],
    settings: &Settings<'_>,
) -> Result<Vec<Result<Vec<Generated>>>> {
    supported(settings.config)?;
    let checked = prompts.iter().map(|prompt| prepared(prompt, prompt, settings).map(|_| Vec::new()));
    let mut found: Vec<Result<Vec<Generated>>> = checked.collect();
    let good: Vec<usize> = (0..prompts.len()).filter(|&place| found[place].is_ok()).collect();
    let at = |places: &[usize]| -> Vec<&[u32]> { places.iter().map(|&place| prompts[place]).collect() };
    if settings.config.num_beams > 1 {
        let run = |places: &[usize]| beams(&mut make(places)?, &at(places), settings);
        // Together where they are of one length; but what chance chooses for one must not depend on the others.
        let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        let group = |place: usize| (prompts[place].len(), if settings.config.do_sample { place } else { 0 });
        good.into_iter().for_each(|place| groups.entry(group(place)).or_default().push(place));
        for places in groups.into_values() {
            match run(&places) {
                Ok(answers) => places.iter().zip(answers).for_each(|(&place, answers)| found[place] = Ok(answers)),
                // What one of them cannot have must not harm the others.
                Err(error) if places.len() > 1 && error.kind() != ErrorKind::Runtime => {
                    places.iter().for_each(|&place| found[place] = run(&[place]).map(|mut one| one.pop().unwrap_or_default()));
                }
                Err(error) if places.len() > 1 => return Err(error),
                Err(error) => found[places[0]] = Err(error),
            }
        }
        fill(&mut found, settings.config);
    } else if !good.is_empty() {
        let mut steps = Steps::new(make(&good)?, &at(&good), settings)?;
        while !steps.step()?.is_empty() {}
        good.into_iter().zip(steps.finish()).for_each(|(place, answers)| found[place] = Ok(answers));
    }
    Ok(found)
}

/// Generation one token at a time, by greedy search or sampling: a step gives each open answer its next token. Dropping it ends the
/// work.
pub struct Steps<M> {
    model: M,
    answers: Vec<Answer>,
    /// How many answers each prompt has.
    count: usize,
    /// The rows of the model: the answers that are open.
    open: Vec<usize>,
    /// The logits that follow the last token of each row.
    logits: Vec<f32>,
}

impl<M: LanguageModel> Steps<M> {
    /// Runs the prompts.
    ///
    /// # Errors
    /// A prompt without tokens or room for an answer, parameters that contradict each other or that only whole answers have
    /// (`num_beams`), and what fails in the model.
    pub fn new(mut model: M, prompts: &[&[u32]], settings: &Settings<'_>) -> Result<Self> {
        supported(settings.config)?;
        if settings.config.num_beams > 1 {
            return Err(Error::request("num_beams", "beams are known only at the end, not token by token"));
        }
        let count = settings.config.num_return_sequences;
        let each = prompts.iter().enumerate().flat_map(|(place, prompt)| (0..count).map(move |index| (place, *prompt, index)));
        let source = |place: usize, prompt| model.sources().get(place).map_or(prompt, Vec::as_slice);
        let answers = each.map(|(place, prompt, index)| Answer::new(index, prompt, source(place, prompt), settings));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        let mut logits = model.forward(prompts)?;
        // Each prompt ran once, for all of its answers.
        if count > 1 {
            let rows: Vec<usize> = (0..answers.len()).map(|row| row / count).collect();
            model.select(&rows)?;
            let vocabulary = logits.len() / prompts.len().max(1);
            logits = logits.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
        }
        Ok(Self { model, open: (0..answers.len()).collect(), answers, count, logits })
    }

    /// The next token of each open answer: the prompt's place, the place among its answers, and the token. Empty at the end.
    ///
    /// # Errors
    /// What fails in the model, and logits that leave no choice.
    pub fn step(&mut self) -> Result<Vec<(usize, usize, u32)>> {
        if self.logits.is_empty() {
            self.run()?;
        }
        let vocabulary = self.logits.len() / self.open.len().max(1);
        let mut tokens = Vec::with_capacity(self.open.len());
        for (&index, logits) in self.open.iter().zip(self.logits.chunks_mut(vocabulary.max(1))) {
            tokens.push((index / self.count, index % self.count, self.answers[index].choose(logits)?));
        }
        self.logits.clear();
        Ok(tokens)
    }

    /// Runs the last tokens of the answers that are open; rows that have ended cost nothing any more.
    fn run(&mut self) -> Result<()> {
        let still: Vec<usize> = (0..self.open.len()).filter(|&row| self.answers[self.open[row]].reason.is_none()).collect();
        if still.len() < self.open.len() {
            if !still.is_empty() {
                self.model.select(&still)?;
            }
            self.open = still.into_iter().map(|row| self.open[row]).collect();
        }
        if !self.open.is_empty() {
            let last: Vec<[u32; 1]> =
                self.open.iter().map(|&index| [self.answers[index].history.last().copied().unwrap_or_default()]).collect();
            self.logits = self.model.forward(&last.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The answers of each prompt as far as they are.
    pub fn finish(self) -> Vec<Vec<Generated>> {
        let count = self.count.max(1);
        let mut found: Vec<Vec<Generated>> = Vec::new();
        for (index, answer) in self.answers.into_iter().enumerate() {
            if index % count == 0 {
                found.push(Vec::with_capacity(count));
            }
            if let Some(last) = found.last_mut() {
                last.push(answer.generated());
            }
        }
        found
    }
}

impl<M> std::fmt::Debug for Steps<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").field("answers", &self.answers.len()).field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// Brings the answers of beam search to one length, as the rows of Python's tensor have it.
///
/// As there, a padding token 0 counts as none: the first end token goes in its place.
fn fill(found: &mut [Result<Vec<Generated>>], config: &GenerationConfig) {
    let end = config.eos_token_id.as_ref().and_then(|ids| ids.first());
    let filler = end.and_then(|end| u32::try_from(config.pad_token_id.filter(|id| *id != 0).unwrap_or(*end)).ok());
    let Some(filler) = filler else { return };
    let answers = || found.iter().flatten().flatten();
    let longest = answers().map(|answer| answer.tokens.len()).max().unwrap_or(0);
    found.iter_mut().flatten().flatten().for_each(|answer| answer.tokens.resize(longest, filler));
}

/// No prompt has more rows: their bookkeeping alone would take all memory.
const MOST_ROWS: usize = 1 << 16;

/// What the configuration may say and nothing here does is an error rather than ignored.
fn supported(config: &GenerationConfig) -> Result<()> {
    for (name, rows) in [("num_beams", config.num_beams), ("num_return_sequences", config.num_return_sequences)] {
        if rows > MOST_ROWS {
            return Err(Error::request(name, format!("{rows} are too many: at most {MOST_ROWS}")));
        }
    }
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
    fn new(index: usize, prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<Self> {
        let (processors, stopping) = prepared(prompt, source, settings)?;
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

/// What changes the logits after a prompt, and what ends its answers; `source` is what the encoder read, or for decoders the prompt.
fn prepared(prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<(Processors, Stopping)> {
    prepared_all(prompt, &[source.to_vec()], settings)
}

/// As [`prepared`], for several prompts of one length.
fn prepared_all(prompt: &[u32], sources: &[Vec<u32>], settings: &Settings<'_>) -> Result<(Processors, Stopping)> {
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
        encoder_input_ids: sources,
        custom: settings.own_processors.as_ref().map(|make| make(prompt.len())).unwrap_or_default(),
        ..Context::default()
    };
    let bytes = settings.token_bytes.clone().map(|bytes| -> TokenBytes { Box::new(move |token| bytes(token)) });
    Ok((Processors::new(config, context)?, Stopping::new(config, lengths.max_length, bytes)?))
}

/// Beam search from prompts of one length.
fn beams(model: &mut dyn LanguageModel, prompts: &[&[u32]], settings: &Settings<'_>) -> Result<Vec<Vec<Generated>>> {
    let (config, count) = (settings.config, settings.config.num_beams);
    let histories: Vec<Vec<u32>> = prompts.iter().map(|prompt| prompt.to_vec()).collect();
    let sources = if model.sources().is_empty() { &histories } else { model.sources() };
    let prompt = prompts.first().copied().unwrap_or_default();
    let (mut processors, mut stopping) = prepared_all(prompt, sources, settings)?;
    let lengths = config.lengths(prompt.len(), settings.max_position_embeddings)?;
    let mut search = BeamSearch::new(BeamConfig::new(config, lengths.max_length), &histories)?;
    let mut sampler = config.do_sample.then(|| config.seed.map_or_else(Sampler::from_time, Sampler::new));
    let first = model.forward(prompts)?;
    // Each prompt ran once, for all of its beams.
    model.select(&(0..prompts.len() * count).map(|row| row / count).collect::<Vec<_>>())?;
    let vocabulary = first.len() / prompts.len().max(1);
    let mut logits: Vec<f32> = first.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
    loop {
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
    let generated = |found: Hypothesis| Generated { tokens: found.tokens, reason: None, score: Some(found.score) };
    Ok(search.finish().into_iter().map(|found| found.into_iter().map(generated).collect()).collect())
}

//! The loop: prompts in, tokens out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::decoder::LanguageModel;
use super::drafts::Assistant;
use super::processors::{Context, Processor, Processors};
use super::search::beams;
use super::steps::Steps;
use super::stopping::{StopReason, StopWhen, Stopping, TokenBytes};
use crate::config::GenerationConfig;
use crate::session::memory;
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
    /// The caller's own test for the end.
    pub stop: Option<StopWhen>,
}

impl<'a> Settings<'a> {
    /// A configuration, and nothing else known.
    pub fn new(config: &'a GenerationConfig) -> Self {
        Self { config, vocab_size: 0, max_position_embeddings: None, token_bytes: None, own_processors: None, stop: None }
    }
}

/// One answer to a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generated {
    /// The new tokens, the end token included.
    pub tokens: Vec<u32>,
    /// Why it ended; beam search does not say.
    pub reason: Option<StopReason>,
    /// Whether a length, a time or a stop string ended it before it matched what it must.
    pub is_cut: bool,
    /// The score of a beam.
    pub score: Option<f32>,
    /// Of the beam, for each token the beam whose logits it came from.
    pub beam_indices: Vec<usize>,
    /// With `logprobs`: for each token the logarithm of the probability that the model itself gave it, before processors.
    pub log_probs: Vec<f32>,
    /// With `output_logits`: for each token what the model said, one number for each token of the vocabulary.
    pub logits: Vec<Vec<f32>>,
    /// With `output_scores`: for each token the logits after the processors. Beam search has logarithms of probabilities here, and as
    /// in Python it tells scores and logits of its beams, not of answers: only where there are as many answers as beams.
    pub scores: Vec<Vec<f32>>,
}

impl Generated {
    /// An error where it was cut.
    pub fn whole(&self) -> Result<()> {
        if self.is_cut { Err(cut(self.tokens.len())) } else { Ok(()) }
    }
}

/// What is said of an answer that was cut after so many tokens.
pub(crate) fn cut(tokens: usize) -> Error {
    let message =
        "before it matched what json_schema, regex or grammar asks for: give it more room (max_new_tokens, max_time), or ask for less";
    Error::new(ErrorKind::Incomplete, format!("the answer was cut after {tokens} tokens, {message}"))
}

/// Answers prompts: for each `num_return_sequences` answers, the best first. A prompt that cannot be answered fails alone where
/// it is wrong in itself; what fails in the model fails all.
///
/// `make` gives a model without rows for some of the prompts, by their places. Answers that ran together differ in length: [`fill`]
/// brings them to one.
pub fn generate<M: LanguageModel>(
    make: impl Fn(&[usize]) -> Result<M>,
    prompts: &[&[u32]],
    settings: &Settings<'_>,
) -> Result<Vec<Result<Vec<Generated>>>> {
    generate_helped(make, &Helpers::none(), prompts, settings)
}

/// Makes an assistant without rows for the prompt at a place.
pub type MakeAssistant<'m, M> = &'m dyn Fn(usize) -> Result<Assistant<M>>;

/// Makes a model without rows that guidance leads away from.
pub type MakeGuide<'m, M> = &'m dyn Fn() -> Result<M>;

/// The models besides the one that answers.
pub struct Helpers<'m, M> {
    /// A smaller model whose guesses are checked: the same answers, sooner. Beams have no guesses.
    pub assistant: Option<MakeAssistant<'m, M>>,
    /// For `guidance_scale`, where that is not the same model without its prompt.
    pub guide: Option<MakeGuide<'m, M>>,
}

impl<M> Helpers<'_, M> {
    /// No other models.
    pub fn none() -> Self {
        Self { assistant: None, guide: None }
    }
}

/// As [`generate`], with other models that take part.
pub fn generate_helped<M: LanguageModel>(
    make: impl Fn(&[usize]) -> Result<M>,
    helpers: &Helpers<'_, M>,
    prompts: &[&[u32]],
    settings: &Settings<'_>,
) -> Result<Vec<Result<Vec<Generated>>>> {
    let Helpers { assistant, guide } = *helpers;
    let config = settings.config;
    supported(config)?;
    let guide = |places: &[usize]| config.is_guided().then(|| guide.map_or_else(|| make(places), |guide| guide())).transpose();
    let checked = prompts.iter().map(|prompt| prepared(prompt, prompt, settings).map(|_| Vec::new()));
    let mut found: Vec<Result<Vec<Generated>>> = checked.collect();
    let good: Vec<usize> = (0..prompts.len()).filter(|&place| found[place].is_ok()).collect();
    let at = |places: &[usize]| -> Vec<&[u32]> { places.iter().map(|&place| prompts[place]).collect() };
    if settings.config.num_beams > 1 {
        let run = |places: &[usize]| beams(&mut make(places)?, guide(places)?, &at(places), settings);
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
    } else {
        // Guesses are for one answer at a time.
        let most = if assistant.is_some() || config.is_assisted() { 1 } else { good.len().max(1) };
        for places in good.chunks(most) {
            let mut steps = Steps::new(make(places)?, &at(places), settings)?;
            if let Some(guide) = guide(places)? {
                steps = steps.guided(guide, settings)?;
            }
            if let (Some(assistant), Some(&place)) = (assistant, places.first()) {
                steps = steps.assisted(assistant(place)?, settings)?;
            }
            while !steps.step()?.is_empty() {}
            places.iter().zip(steps.finish()).for_each(|(place, answers)| found[*place] = Ok(answers));
        }
    }
    Ok(found)
}

/// Brings answers to one length, as the rows of Python's tensor have it.
///
/// As there, beam search takes a padding token 0 for none: the first end token goes in its place.
pub fn fill(found: &mut [Result<Vec<Generated>>], config: &GenerationConfig) {
    let end = config.eos_token_id.as_ref().and_then(|ids| ids.first().copied());
    let pad = config.pad_token_id.filter(|id| config.num_beams == 1 || (*id != 0 && end.is_some()));
    let filler = pad.or(end).and_then(|id| u32::try_from(id).ok());
    let Some(filler) = filler else { return };
    let answers = || found.iter().flatten().flatten();
    let longest = answers().map(|answer| answer.tokens.len()).max().unwrap_or(0);
    found.iter_mut().flatten().flatten().for_each(|answer| answer.tokens.resize(longest, filler));
}

/// No prompt has more rows: their bookkeeping alone would take all memory.
const MOST_ROWS: usize = 1 << 16;

/// What no model could run is an error before it is tried.
pub(super) fn supported(config: &GenerationConfig) -> Result<()> {
    for (name, rows) in [("num_beams", config.num_beams), ("num_return_sequences", config.num_return_sequences)] {
        if rows > MOST_ROWS {
            return Err(Error::request(name, format!("{rows} are too many: at most {MOST_ROWS}")));
        }
    }
    Ok(())
}

/// Rows whose logits would not fit in memory are an error before there are any: asking for more than there is ends the process.
pub(super) fn room_for(rows: usize, vocabulary: usize, config: &GenerationConfig) -> Result<()> {
    let bytes = rows.saturating_mul(vocabulary).saturating_mul(LOGITS_BYTES);
    if bytes as u64 <= memory::available() {
        return Ok(());
    }
    let name = if config.num_beams > 1 { "num_beams" } else { "num_return_sequences" };
    Err(Error::request(name, format!("no memory for the logits of {rows} rows ({} MB); ask for fewer", bytes >> 20)))
}

/// What a token of a row takes: its logit, a copy for the choice, and one of the graph's own.
const LOGITS_BYTES: usize = 3 * size_of::<f32>();

/// What a model says of a row that is longer than the positions that it has, in words; rotary models go beyond theirs without.
pub(super) fn beyond(error: Error, length: usize, positions: Option<usize>) -> Error {
    match positions.filter(|positions| length > *positions && error.kind() == ErrorKind::Runtime) {
        Some(positions) => {
            let message =
                format!("{length} tokens, and the model has positions for {positions}; shorten the prompt, or ask for fewer new tokens");
            Error::new(ErrorKind::Runtime, message).caused_by(error)
        }
        None => error,
    }
}

/// What changes the logits after a prompt, and what ends its answers; `source` is what the encoder read, or for decoders the prompt.
pub(super) fn prepared(prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<(Processors, Stopping)> {
    prepared_all(prompt, &[source.to_vec()], settings)
}

/// As [`prepared`], for several prompts of one length.
pub(super) fn prepared_all(prompt: &[u32], sources: &[Vec<u32>], settings: &Settings<'_>) -> Result<(Processors, Stopping)> {
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
    let stopping = Stopping::new(config, lengths.max_length, bytes)?;
    let stopping = match settings.stop.clone() {
        Some(stop) => stopping.with_test(Box::new(move |_, history| stop.test(history))),
        None => stopping,
    };
    Ok((Processors::new(config, context)?, stopping))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::config::GenerationDefaults;

    #[test]
    fn more_logits_than_memory_are_refused_by_name() {
        for (name, parameters) in [
            ("num_beams", json!({"num_beams": 60_000})),
            ("num_return_sequences", json!({"num_return_sequences": 60_000, "do_sample": true})),
        ] {
            let config = GenerationConfig::resolve(&GenerationDefaults::default(), &Map::new(), parameters.as_object().unwrap()).unwrap();
            assert!(room_for(60_000, 300, &config).is_ok());
            let error = room_for(60_000, usize::MAX / 8, &config).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains("60000 rows"), "{error}");
        }
    }
}

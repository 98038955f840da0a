//! What the tasks share that turn a text into another: reading, writing, and what a call may say. They differ in their names, and in
//! what goes before a text.

mod call;

use std::{borrow::Cow, num::NonZeroUsize, sync::Arc};

use formers_models::Head;
use serde_json::{Map, Value, json};

pub(super) use call::{Call, PARAMETERS};

use super::{
    TextIter,
    arguments::all,
    assistant::Assistants,
    constraint::Words,
    fits,
    text_generation::{Pieces, TextPieces},
    usage,
};
use crate::{
    Error, ErrorKind, Result,
    config::{GenerationConfig, GenerationDefaults, ModelConfig, integer},
    generate::{self, Constraint, Generated, Helpers, LanguageModel, Settings, Steps, TextStream, Unread},
    model::{Model, Pretrained},
    preprocess::text::{EncodeOptions, Tokenizer, Truncation, clean_up_tokenization},
};

/// So many rows write at once where the call does not say how many texts do.
const ROWS: usize = 32;
/// And their texts have at most so many tokens together, padding included, unless a single one has more.
const TOKENS: usize = 4096;

/// How to turn a text into another.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Parameters of Transformers' `generate`, by their names; 4 beams and 256 new tokens where neither this nor the checkpoint says
    /// otherwise.
    pub generation: Map<String, Value>,
    /// So many texts run at once, `None` for as many as are good. The tokens of answers that run at once have one length.
    pub batch_size: Option<NonZeroUsize>,
    /// What gives way where a text has more tokens than the model takes.
    pub truncation: Truncation,
    /// Removes spaces before punctuation from the answer.
    pub clean_up_tokenization_spaces: bool,
    /// Ends the answer: its first token does.
    pub stop_sequence: Option<String>,
    /// What the text of an answer must match.
    pub constraint: Option<Constraint>,
    /// A smaller model that guesses ([`crate::Options::assistant_model`]), where `num_beams` is 1. A pipeline has
    /// only one: the first that it is given.
    pub assistant_model: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Its tokens, with the one that they started from and those that end and fill it.
    pub token_ids: Vec<u32>,
}

/// An encoder-decoder model, and what its checkpoint says about a task.
#[derive(Debug)]
pub(crate) struct TextToText {
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// Goes before every text.
    pub(crate) prefix: String,
    /// What `task_specific_params` say about the task.
    own: Map<String, Value>,
    config: ModelConfig,
    defaults: GenerationDefaults,
    model: Model,
    words: Words,
    assistants: Assistants,
}

impl TextToText {
    pub(crate) fn load(pretrained: &Pretrained, task: &str) -> Result<Self> {
        let named = |e: Error| e.at(pretrained.checkpoint.name());
        let model = pretrained.model(Head::Seq2SeqLm)?;
        let config = pretrained.config.value();
        generate::check_two_sided(&model, config).map_err(named)?;
        let mut own = config.get("task_specific_params").and_then(|tasks| tasks.get(task)?.as_object().cloned()).unwrap_or_default();
        let prefix = own.remove("prefix").or_else(|| config.get("prefix").cloned());
        let generation = pretrained.checkpoint.json("generation_config.json")?;
        let tokenizer = Arc::new(pretrained.tokenizer_v4()?);
        Ok(Self {
            assistants: Assistants::new(pretrained, Head::Seq2SeqLm, &tokenizer)?,
            words: Words::default(),
            tokenizer,
            prefix: prefix.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
            own,
            config: pretrained.config.clone(),
            defaults: GenerationDefaults::new(generation.as_ref(), &with_defaults(config)).map_err(named)?,
            model,
        })
    }

    /// The tokens of a text that is one to turn into another.
    pub(crate) fn encode(&self, text: &str, options: &Options) -> Result<Vec<u32>> {
        let encode = EncodeOptions { truncation: options.truncation, ..EncodeOptions::default() };
        Ok(self.tokenizer.encode(&format!("{}{text}", self.prefix), None, &encode)?.ids)
    }

    /// How to generate: as version 4 of the reference, whose pipelines have defaults that go before the checkpoint's own, and what a
    /// checkpoint says about the task goes before those.
    pub(crate) fn configuration(&self, options: &Options) -> Result<GenerationConfig> {
        let mut arguments = Map::from_iter([("num_beams".to_owned(), json!(4))]);
        // A length that is the checkpoint's own is not the library's default of 20.
        if self.defaults.get("max_length").and_then(integer).is_none_or(|length| length == 20) {
            arguments.insert("max_new_tokens".into(), json!(256));
        }
        for (name, value) in self.own.iter().filter(|(name, _)| GenerationConfig::knows(name)) {
            // What the task sets to the library's default is as if it were not set, where the checkpoint says something else.
            let value = self.defaults.get(name).filter(|_| is_default(name, value)).unwrap_or(value);
            arguments.insert(name.clone(), value.clone());
        }
        arguments.extend(options.generation.clone());
        if let Some(stop) = &options.stop_sequence {
            let ids = self.tokenizer.encode(stop, None, &EncodeOptions::default().without_special_tokens())?.ids;
            let first = ids.first().ok_or_else(|| Error::request("parameters.stop_sequence", "it has no tokens"))?;
            arguments.insert("eos_token_id".into(), json!(first));
        }
        let mut config = GenerationConfig::resolve(&self.defaults, &Map::new(), &arguments)?;
        config.pad_token_id = config.pad_token_id.or_else(|| self.tokenizer.pad_token_id().map(i64::from));
        Ok(config)
    }

    /// The answers to texts as they are, in their order, for each `num_return_sequences`; a text that fails does not harm the others. The
    /// task may have something to say about the number of tokens of each.
    pub(crate) fn answers(
        &self,
        texts: Vec<Result<&str>>,
        options: &Options,
        notice: fn(usize, &GenerationConfig),
    ) -> Result<Vec<Result<Vec<Answer>>>> {
        let config = self.configuration(options)?;
        let encoded: Vec<Result<Vec<u32>>> = texts.into_iter().map(|text| self.encode(text?, options)).collect();
        encoded.iter().flatten().for_each(|ids| notice(ids.len(), &config));
        self.run(encoded, &config, options)
    }

    /// The answer to the only text of a call as it comes, where that asks for one answer that is nothing but text.
    pub(crate) fn stream_call<'a>(&'a self, call: &Call<'_>, notice: fn(usize, &GenerationConfig)) -> Result<Option<TextIter<'a>>> {
        let config = self.configuration(&call.options)?;
        let Some(text) = call.streamed(&config) else { return Ok(None) };
        let ids = self.encode(text, &call.options)?;
        notice(ids.len(), &config);
        Ok(Some(Box::new(self.stream(&ids, &config, &call.options)?)))
    }

    /// The answers to texts, in their order, for each `num_return_sequences`; a text that fails does not harm the others.
    pub(crate) fn run(
        &self,
        texts: Vec<Result<Vec<u32>>>,
        config: &GenerationConfig,
        options: &Options,
    ) -> Result<Vec<Result<Vec<Answer>>>> {
        let start = self.start(config)?;
        let settings = self.settings(config, options)?;
        let texts: Vec<Result<Vec<u32>>> = texts.into_iter().map(|ids| self.fitting(ids?)).collect();
        let mut found: Vec<Result<Vec<Answer>>> =
            texts.iter().map(|_| Err(Error::new(ErrorKind::Runtime, "a text was not answered"))).collect();
        let good: Vec<(usize, &[u32])> = texts.iter().enumerate().filter_map(|(i, ids)| Some((i, ids.as_ref().ok()?.as_slice()))).collect();
        for batch in batches(good, config, options.batch_size) {
            let sources: Vec<&[u32]> = batch.iter().map(|(_, ids)| *ids).collect();
            for ((place, ids), generated) in batch.iter().zip(self.generate(&sources, start, &settings, options)?) {
                let generated = generated.map_err(|error| fits::explained(error, ids, &self.config));
                found[*place] = generated.and_then(|found| found.iter().map(|found| self.answer(start, found, options)).collect());
            }
        }
        let written = found.iter().flatten().flatten().map(|answer| answer.token_ids.len().saturating_sub(1)).sum();
        usage::tell(texts.iter().flatten().map(Vec::len).sum(), written);
        Ok(texts.into_iter().zip(found).map(|(text, found)| text.and(found)).collect())
    }

    /// A text that the encoder has room for.
    fn fitting(&self, ids: Vec<u32>) -> Result<Vec<u32>> {
        fits::check_length(ids.len(), &self.config, &self.tokenizer)?;
        Ok(ids)
    }

    /// The answers to texts that run at once.
    fn generate(&self, sources: &[&[u32]], start: u32, settings: &Settings<'_>, options: &Options) -> Result<Vec<Result<Vec<Generated>>>> {
        let assistant = self.assistants.named(options.assistant_model.as_deref(), &self.tokenizer)?;
        let run = |sources: &[&[u32]]| {
            let make = |places: &[usize]| {
                let texts: Vec<&[u32]> = places.iter().map(|&place| sources[place]).collect();
                generate::open_two_sided(&self.model, self.config.value(), &texts)
            };
            let begin = assistant.map(|assistant| move |place: usize| assistant.begin(&options.generation, sources.get(place).copied()));
            let assistant = begin.as_ref().map(|begin| begin as generate::MakeAssistant<'_, _>);
            let guide = || self.guide(start);
            generate::generate_helped(make, &Helpers { assistant, guide: Some(&guide) }, &vec![&[start][..]; sources.len()], settings)
        };
        let mut found = match run(sources) {
            // What the model cannot run, such as a text beyond its positions, fails alone.
            Err(error) if error.kind() == ErrorKind::Runtime && sources.len() > 1 => {
                let lost = || Err(Error::new(ErrorKind::Runtime, "a text was not answered"));
                sources.iter().map(|source| run(&[source])?.pop().unwrap_or_else(lost)).collect()
            }
            Err(error) if error.kind() == ErrorKind::Runtime => vec![Err(error)],
            found => found?,
        };
        // Where the call does not say what runs at once, it is as if each ran alone.
        let together = if options.batch_size.is_some() { found.len() } else { 1 };
        found.chunks_mut(together.max(1)).for_each(|found| generate::fill(found, settings.config));
        Ok(found)
    }

    /// One answer to a text, as it comes.
    pub(crate) fn stream(&self, text: &[u32], config: &GenerationConfig, options: &Options) -> Result<TextPieces<'_>> {
        let config = GenerationConfig { num_return_sequences: 1, ..config.clone() };
        let start = self.start(&config)?;
        let explained = |error| fits::explained(error, text, &self.config);
        fits::check_length(text.len(), &self.config, &self.tokenizer)?;
        let model = generate::open_two_sided(&self.model, self.config.value(), &[text]).map_err(explained)?;
        let settings = self.settings(&config, options)?;
        let mut steps = Steps::new(model, &[&[start]], &settings)?;
        if config.is_guided() {
            steps = steps.guided(self.guide(start)?, &settings)?;
        }
        if let Some(assistant) = self.assistants.named(options.assistant_model.as_deref(), &self.tokenizer)? {
            steps = steps.assisted(assistant.begin(&options.generation, Some(text))?, &settings)?;
        }
        let read = text.len();
        let mut text = TextStream::new(&self.tokenizer, true, Some(options.clean_up_tokenization_spaces), &config.stop_strings);
        let before = text.push(start)?;
        Ok(TextPieces::new(Pieces::new(steps, text, before, read)))
    }

    /// The model without what it reads, for guidance.
    fn guide(&self, start: u32) -> Result<Box<dyn LanguageModel + Send + '_>> {
        Ok(Box::new(Unread::new(&self.model, self.config.value(), start)?))
    }

    fn settings<'c>(&self, config: &'c GenerationConfig, options: &Options) -> Result<Settings<'c>> {
        let tokenizer = self.tokenizer.clone();
        // Of two models in one, the second writes.
        let writer = self.config.value().get("decoder");
        let integer = |field: &str| self.config.integer(field).or_else(|| integer(writer?.get(field)?));
        let size = |field: &str| integer(field).and_then(|n| usize::try_from(n).ok());
        let vocab_size = size("vocab_size").unwrap_or(0);
        let hold = |constraint: &Constraint| self.words.hold(constraint, config, &self.tokenizer, vocab_size);
        Ok(Settings {
            config,
            vocab_size,
            max_position_embeddings: size("max_position_embeddings"),
            token_bytes: Some(Arc::new(move |token| tokenizer.token_bytes(token))),
            own_processors: options.constraint.as_ref().map(hold).transpose()?,
            ..Settings::new(config)
        })
    }

    /// The token that every answer starts from.
    fn start(&self, config: &GenerationConfig) -> Result<u32> {
        let id = config.decoder_start_token_id.or(config.bos_token_id).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| {
            Error::config("neither generation_config.json nor config.json has a decoder_start_token_id to start an answer from")
        })
    }

    fn answer(&self, start: u32, found: &Generated, options: &Options) -> Result<Answer> {
        found.whole()?;
        let token_ids = [&[start], &*found.tokens].concat();
        let text = self.tokenizer.decode(&token_ids, true, Some(false))?;
        let text = if options.clean_up_tokenization_spaces { clean_up_tokenization(&text) } else { text };
        Ok(Answer { text, token_ids })
    }
}

/// `config.json` with what the architecture's config class says about generation.
fn with_defaults(config: &Value) -> Cow<'_, Value> {
    let known = formers_models::of(config);
    known.map_or(Cow::Borrowed(config), |known| Cow::Owned(known.with_generation_defaults(config)))
}

/// Whether a value is what the library takes where nothing is said.
fn is_default(name: &str, value: &Value) -> bool {
    let usual = match name {
        "num_beams"
        | "num_return_sequences"
        | "length_penalty"
        | "repetition_penalty"
        | "encoder_repetition_penalty"
        | "temperature"
        | "top_p" => 1.0,
        "min_length" | "no_repeat_ngram_size" | "encoder_no_repeat_ngram_size" => 0.0,
        "max_length" => 20.0,
        "top_k" => 50.0,
        "do_sample" | "early_stopping" => return value == &Value::Bool(false),
        _ => return false,
    };
    value.as_f64() == Some(usual)
}

/// What a call of such a task answers: a list for a text; for a list of texts each has its answer, or a list where there are several.
/// `records` are the answers to each text.
pub(super) fn called(inputs: &Value, records: impl FnOnce(&[Value]) -> Result<Vec<Result<Vec<Value>>>>) -> Result<Value> {
    match inputs {
        Value::Array(list) => all(each(records(list)?)).map(Value::Array),
        one => Ok(Value::Array(records(std::slice::from_ref(one))?.pop().transpose()?.unwrap_or_default())),
    }
}

/// The answers to texts by themselves, or lists where there are several to each.
pub(super) fn each(records: Vec<Result<Vec<Value>>>) -> Vec<Result<Value>> {
    let bare = |mut records: Vec<Value>| if records.len() == 1 { records.swap_remove(0) } else { Value::Array(records) };
    records.into_iter().map(|records| records.map(bare)).collect()
}

/// The text of the only answer to the only text.
pub(super) fn only(mut answers: Vec<Result<Vec<Answer>>>) -> Result<String> {
    let answer = answers.pop().transpose()?.and_then(|mut answers| answers.pop());
    answer.map(|answer| answer.text).ok_or_else(|| Error::new(ErrorKind::Runtime, "a text was not answered"))
}

/// What runs at once, with the places: what the call says, or texts of like lengths.
fn batches<'a>(mut texts: Vec<(usize, &'a [u32])>, config: &GenerationConfig, size: Option<NonZeroUsize>) -> Vec<Vec<(usize, &'a [u32])>> {
    if let Some(size) = size {
        return texts.chunks(size.get()).map(<[_]>::to_vec).collect();
    }
    let most = (ROWS / config.rows_per_input().max(1)).max(1);
    texts.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let mut batches: Vec<Vec<(usize, &[u32])>> = Vec::new();
    for text in texts {
        match batches.last_mut() {
            Some(batch) if batch.len() < most && (batch.len() + 1) * batch[0].1.len() <= TOKENS => batch.push(text),
            _ => batches.push(vec![text]),
        }
    }
    batches
}

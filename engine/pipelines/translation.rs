//! `translation`: a text in another language.

use formers_models::Head;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task, TextIter, boxed,
    parameters::joined,
    text_generation::TextPieces,
    text_to_text::{self, Call, TextToText},
};
use crate::{Error, Result, config::GenerationConfig, model::Pretrained};

pub use super::text_to_text::Answer;

/// Translates texts.
#[derive(Debug)]
pub struct Translation {
    model: TextToText,
    /// The languages that the task's name has (`translation_en_to_fr`).
    named: Option<(String, String)>,
}

/// How to translate.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What all tasks of this kind have.
    pub common: text_to_text::Options,
    /// The language of the texts, by the model's own code; needed by models for many languages, which tell them apart by tokens.
    pub src_lang: Option<String>,
    /// The language to translate to.
    pub tgt_lang: Option<String>,
}

impl Options {
    /// From a language to another, by the model's own codes.
    pub fn between(src_lang: &str, tgt_lang: &str) -> Self {
        Self { src_lang: Some(src_lang.into()), tgt_lang: Some(tgt_lang.into()), ..Self::default() }
    }
}

impl Translation {
    /// The translation of a text, by a model for a pair of languages.
    pub fn run(&self, text: &str) -> Result<String> {
        self.run_many(&[text], &Options::default()).and_then(text_to_text::only)
    }

    /// The translations of many texts, in their order, for each `num_return_sequences`; a text that fails does not harm the others.
    pub fn run_many(&self, texts: &[&str], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        self.answers(texts.iter().copied().map(Ok).collect(), options)
    }

    /// The translation of a text, piece by piece as it comes; dropping it ends the work. It takes `num_beams` 1: beams are known only at
    /// the end.
    pub fn stream(&self, text: &str, options: &Options) -> Result<TextPieces<'_>> {
        let languages = self.languages(options)?;
        let config = self.configuration(options, languages)?;
        let ids = self.encode(text, options, languages)?;
        warn(ids.len(), &config);
        self.model.stream(&ids, &config, &options.common)
    }

    fn records(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Vec<Value>>>> {
        let (call, options) = read(inputs, parameters)?;
        Ok(call.records("translation", self.answers(call.texts(), &options)?))
    }

    fn answers(&self, texts: Vec<Result<&str>>, options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        let languages = self.languages(options)?;
        let config = self.configuration(options, languages)?;
        let encoded: Vec<Result<Vec<u32>>> = texts.into_iter().map(|text| self.encode(text?, options, languages)).collect();
        encoded.iter().flatten().for_each(|ids| warn(ids.len(), &config));
        self.model.run(encoded, &config, &options.common)
    }

    /// The languages to translate from and to, where the model has to know them.
    fn languages<'a>(&'a self, options: &'a Options) -> Result<Option<(&'a str, &'a str)>> {
        if !self.model.tokenizer.names_languages() {
            return Ok(None);
        }
        let named = self.named.as_ref().filter(|_| options.src_lang.is_none() && options.tgt_lang.is_none());
        let pair = named.map(|(from, to)| (from.as_str(), to.as_str())).or(options.src_lang.as_deref().zip(options.tgt_lang.as_deref()));
        let missing = if options.src_lang.is_none() { "parameters.src_lang" } else { "parameters.tgt_lang" };
        pair.map(Some).ok_or_else(|| Error::request(missing, "this model translates between many languages, and has to know which"))
    }

    fn encode(&self, text: &str, options: &Options, languages: Option<(&str, &str)>) -> Result<Vec<u32>> {
        match languages {
            Some((from, _)) => {
                self.model.tokenizer.encode_in(text, from, options.common.truncation).map_err(|e| e.at("parameters.src_lang"))
            }
            None => self.model.encode(text, &options.common),
        }
    }

    /// A translation to one of many languages begins with the token of that.
    fn configuration(&self, options: &Options, languages: Option<(&str, &str)>) -> Result<GenerationConfig> {
        let Some((_, to)) = languages else { return self.model.configuration(&options.common) };
        let language = self.model.tokenizer.language_id(to).map_err(|e| e.at("parameters.tgt_lang"))?;
        let mut common = options.common.clone();
        if common.generation.insert("forced_bos_token_id".into(), json!(language)).is_some() {
            return Err(Error::request("parameters.forced_bos_token_id", "this model's translations begin with tgt_lang"));
        }
        self.model.configuration(&common)
    }
}

/// A call, read.
fn read(inputs: &[Value], mut parameters: Parameters) -> Result<(Call<'_>, Options)> {
    let (src_lang, tgt_lang) = (parameters.take("src_lang")?, parameters.take("tgt_lang")?);
    let call = Call::new(inputs, parameters, Translation::TASK.parameters)?;
    let options = Options { common: call.options.clone(), src_lang, tgt_lang };
    Ok((call, options))
}

/// As the reference does.
fn warn(input_length: usize, config: &GenerationConfig) {
    let max_length = config.max_length.unwrap_or(20);
    if input_length as f64 > 0.9 * max_length as f64 {
        tracing::warn!(
            "Your input_length: {input_length} is bigger than 0.9 * max_length: {max_length}. You might consider increasing your \
             max_length manually, e.g. max_length=400"
        );
    }
}

/// The languages in the name of a task, such as `translation_en_to_fr`.
pub(super) fn pair(task: &str) -> Option<(&str, &str)> {
    match task.split('_').collect::<Vec<_>>().as_slice() {
        ["translation", from, "to", to] => Some((from, to)),
        _ => None,
    }
}

const OWN_PARAMETERS: &[&str] = &["src_lang", "tgt_lang"];
const PARAMETERS: [&str; OWN_PARAMETERS.len() + text_to_text::PARAMETERS.len()] = joined(OWN_PARAMETERS, &text_to_text::PARAMETERS);

impl Pipeline for Translation {
    const TASK: Task = Task {
        id: "translation",
        aliases: &["translation_xx_to_yy"],
        summary: "A text in another language",
        default_model: "google-t5/t5-base",
        heads: &[Head::Seq2SeqLm],
        inputs: "a string, or a list of strings",
        fields: &[],
        parameters: &PARAMETERS,
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let task = pretrained.options.task.as_deref().filter(|task| pair(task).is_some()).unwrap_or(Self::TASK.id);
        // As in Python, the first translation that the checkpoint knows of, where the name has no languages.
        let known = pretrained.config.value().get("task_specific_params").and_then(Value::as_object);
        let first = known.and_then(|tasks| tasks.keys().find(|name| name.starts_with(Self::TASK.id))).filter(|_| pair(task).is_none());
        let task = first.map_or(task, String::as_str);
        let named = pair(task).map(|(from, to)| (from.to_owned(), to.to_owned()));
        Ok(Self { model: TextToText::load(pretrained, task)?, named })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        text_to_text::called(inputs, |inputs| self.records(inputs, parameters))
    }

    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>> {
        self.records(inputs, parameters).map(text_to_text::each)
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        let (call, options) = read(std::slice::from_ref(inputs), parameters)?;
        let config = self.configuration(&options, self.languages(&options)?)?;
        let Some(text) = call.streamed(&config) else { return Ok(None) };
        Ok(Some(Box::new(self.stream(text, &options)?)))
    }
}

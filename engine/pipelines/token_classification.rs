//! `token-classification`: a label for each token of a text, or entities of several.

use std::{borrow::Cow, num::NonZeroUsize};

use formers_models::Head;
use ndarray::ArrayViewD;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::{all, kind, only},
    boxed,
    text::{Output, TextModel, keep_errors},
};
pub use crate::postprocess::entities::{AggregationStrategy, Entity};
use crate::{
    Error, Result,
    config::ClassName,
    model::Pretrained,
    postprocess::{
        entities::{Aggregation, Token, merge_overlapping},
        scores::softmax,
    },
    preprocess::text::{EncodeOptions, Encoding, PaddingStrategy, Text, Truncation},
};

/// Labels for the tokens of texts.
#[derive(Debug)]
pub struct TokenClassification {
    model: TextModel,
}

/// A text, whole or already split into words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Input {
    Text(String),
    Words(Vec<String>),
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<String>> for Input {
    fn from(words: Vec<String>) -> Self {
        Self::Words(words)
    }
}

/// Where each token of a text lies in it, in characters.
type Offsets = Vec<(usize, usize)>;

/// How to label.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the labels of tokens become those of words and entities.
    pub aggregation_strategy: AggregationStrategy,
    /// The labels to leave out.
    pub ignore_labels: Vec<ClassName>,
    /// Read a text longer than the model's length in windows, each of which repeats so many tokens of the one before.
    /// Without it, what is too long is cut off.
    pub stride: Option<usize>,
    /// What lies between words that the text is split into; positions in the answer are those of the joined text.
    pub delimiter: String,
    /// Where the tokens of each text lie in it, in place of what the tokenizer says.
    pub offset_mapping: Option<Vec<Offsets>>,
    /// So many windows run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            aggregation_strategy: AggregationStrategy::None,
            ignore_labels: vec!["O".into()],
            stride: None,
            delimiter: " ".into(),
            offset_mapping: None,
            batch_size: None,
        }
    }
}

/// What is known of one input while it is labelled.
struct Source {
    windows: Vec<Encoding>,
    chars: Vec<char>,
    /// Where each word starts in the text, for texts that come in words.
    word_starts: Option<Vec<usize>>,
    /// Where the tokens lie, in place of what the tokenizer says.
    offsets: Option<Offsets>,
}

impl TokenClassification {
    /// The tokens of a text that are not labelled `O`.
    pub fn run(&self, text: &str) -> Result<Vec<Entity>> {
        self.run_many(&[text.into()], &Options::default())?.swap_remove(0)
    }

    /// The tokens or entities of many texts, in their order; a text that fails does not harm the others.
    ///
    /// Fails as a whole where the options do not suit the tokenizer.
    pub fn run_many(&self, inputs: &[Input], options: &Options) -> Result<Vec<Result<Vec<Entity>>>> {
        self.answer(inputs.iter().cloned().map(Ok).collect(), options)
    }

    fn answer(&self, inputs: Vec<Result<Input>>, options: &Options) -> Result<Vec<Result<Vec<Entity>>>> {
        self.check(options, inputs.len())?;
        let mut mappings = options.offset_mapping.clone().unwrap_or_default().into_iter();
        let sources =
            inputs.into_iter().map(|input| (input, mappings.next())).map(|(input, offsets)| self.encode(&input?, offsets, options));
        let sources = sources.collect();
        Ok(keep_errors(sources, |sources: Vec<&Source>| {
            let windows: Vec<&[Encoding]> = sources.iter().map(|source| source.windows.as_slice()).collect();
            let labelled = self.model.run_windows(options.batch_size, &windows, &[Output::Tokens("logits")], |input, window, views| {
                let tokens = self.tokens(sources[input], &sources[input].windows[window], &views[0])?;
                self.entities(&tokens, options)
            });
            labelled.into_iter().map(|windows| windows.map(merged)).collect()
        }))
    }

    fn check(&self, options: &Options, inputs: usize) -> Result<()> {
        let tokenizer = &self.model.tokenizer;
        let needs_offsets = options.stride.is_some() || options.aggregation_strategy.joins_words();
        if needs_offsets && !tokenizer.has_offsets() {
            return Err(Error::request(
                "parameters",
                "this tokenizer does not know where tokens lie; use no stride, and no strategy but simple",
            ));
        }
        if let Some((stride, most)) = options.stride.zip(tokenizer.model_max_length()).filter(|(stride, most)| stride >= most) {
            return Err(Error::request("parameters.stride", format!("{stride} is not less than the model's length of {most} tokens")));
        }
        match &options.offset_mapping {
            Some(mappings) if mappings.len() != inputs => {
                Err(Error::request("parameters.offset_mapping", format!("{} lists for {inputs} inputs", mappings.len())))
            }
            _ => Ok(()),
        }
    }

    fn encode(&self, input: &Input, offsets: Option<Offsets>, options: &Options) -> Result<Source> {
        if matches!(input, Input::Words(_)) && !self.model.tokenizer.has_offsets() {
            return Err(Error::request("inputs", "this tokenizer does not know where tokens lie, so that texts cannot come in words"));
        }
        let encode = EncodeOptions {
            truncation: Truncation::LongestFirst,
            stride: options.stride.unwrap_or(0),
            return_overflowing: options.stride.is_some(),
            // As in Python, the last window has the length of the others: on the left, padding moves its tokens.
            padding: PaddingStrategy::Longest,
            ..EncodeOptions::default()
        };
        let (text, sentence) = match input {
            Input::Text(text) => (Text::Str(text), text.clone()),
            Input::Words(words) => (Text::Words(words), words.join(&options.delimiter)),
        };
        let windows = self.model.tokenizer.encode(text, None, &encode)?.into_windows();
        Ok(Source { windows, chars: sentence.chars().collect(), word_starts: input.word_starts(&options.delimiter), offsets })
    }

    /// The tokens of the text in one window. `logits`: (tokens, labels)
    fn tokens(&self, source: &Source, window: &Encoding, logits: &ArrayViewD<f32>) -> Result<Vec<Token>> {
        let offsets = source.offsets.as_ref().unwrap_or(&window.offsets);
        let own = logits.outer_iter().enumerate().filter(|(index, _)| window.special_tokens_mask.get(*index) == Some(&0));
        own.map(|(index, row)| {
            let token = Token {
                word: self.model.tokenizer.id_to_token(window.ids[index]).unwrap_or_default(),
                scores: softmax(&row.iter().copied().collect::<Vec<_>>()),
                index,
                span: None,
                is_subword: false,
            };
            if source.offsets.is_none() && !self.model.tokenizer.has_offsets() {
                return Ok(token);
            }
            let missing = || Error::request("parameters.offset_mapping", format!("ends before token {index}"));
            let (start, end) = *offsets.get(index).ok_or_else(missing)?;
            let shift = source.word_starts.as_ref().zip(window.word_ids[index]).and_then(|(starts, word)| starts.get(word as usize));
            let shift = shift.copied().unwrap_or(0);
            Ok(self.placed(token, window.ids[index], start.saturating_add(shift), end.saturating_add(shift), &source.chars))
        })
        .collect()
    }

    /// Where a token lies, and whether it continues a word: as far as lengths and spaces tell.
    fn placed(&self, token: Token, id: u32, start: usize, end: usize, chars: &[char]) -> Token {
        let within = |start: usize, end: usize| chars.get(start.min(chars.len())..end.min(chars.len())).unwrap_or_default();
        let source = within(start, end);
        let span = Some((start, end));
        if Some(id) == self.model.tokenizer.unk_token_id() {
            return Token { word: source.iter().collect(), span, is_subword: false, ..token };
        }
        let is_subword = match self.model.tokenizer.continuing_subword_prefix() {
            Some(_) => token.word.chars().count() != source.len(),
            None => start > 0 && !within(start - 1, start.saturating_add(1)).contains(&' '),
        };
        Token { span, is_subword, ..token }
    }

    fn entities(&self, tokens: &[Token], options: &Options) -> Result<Vec<Entity>> {
        let join = |words| self.model.tokenizer.convert_tokens_to_string(words);
        let aggregation = Aggregation { strategy: options.aggregation_strategy, labels: self.model.config.labels(), join: &join };
        let mut entities = aggregation.entities(tokens)?;
        // As in Python: where null is ignored, so is each entity, which has either no `entity` or no `entity_group`.
        let ignored = |label: &ClassName| options.ignore_labels.iter().any(|other| other.is(label));
        let all = ignored(&ClassName::Other(Value::Null));
        entities.retain(|entity| !all && !ignored(&entity.entity));
        Ok(entities)
    }
}

impl Input {
    fn word_starts(&self, delimiter: &str) -> Option<Vec<usize>> {
        let Self::Words(words) = self else { return None };
        let gap = delimiter.chars().count();
        let mut next = 0;
        let start = |word: &String| {
            let start = next;
            next += word.chars().count() + gap;
            start
        };
        Some(words.iter().map(start).collect())
    }
}

/// The entities of a text from those of its windows.
fn merged(mut windows: Vec<Vec<Entity>>) -> Vec<Entity> {
    if windows.len() == 1 { windows.swap_remove(0) } else { merge_overlapping(windows.concat()) }
}

impl Pipeline for TokenClassification {
    const TASK: Task = Task {
        id: "token-classification",
        aliases: &["ner"],
        summary: "A label for each token of a text, or entities of several",
        default_model: "dbmdz/bert-large-cased-finetuned-conll03-english",
        heads: &[Head::TokenClassification],
        inputs: "a string, or a list of them; with is_split_into_words a list of words, or a list of such lists",
        fields: &[],
        parameters: &[
            "aggregation_strategy",
            "ignore_labels",
            "stride",
            "is_split_into_words",
            "delimiter",
            "offset_mapping",
            "batch_size",
        ],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { model: TextModel::load(pretrained, Head::TokenClassification)? })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        match Self::inputs_of(inputs, &parameters) {
            Some(list) if list.is_empty() => Err(Error::request("inputs", "at least one is needed")),
            Some(list) => all(self.call_many(&list, parameters)?).map(Value::Array),
            None => only(self.call_many(std::slice::from_ref(inputs), parameters)?),
        }
    }

    fn inputs_of<'a>(inputs: &'a Value, parameters: &Parameters) -> Option<Cow<'a, [Value]>> {
        let list = inputs.as_array()?;
        let split = parameters.get("is_split_into_words").and_then(Value::as_bool).unwrap_or(false);
        // The words of one text are not many texts, but the answer is a list all the same.
        let words = split && !list.is_empty() && !list.iter().all(Value::is_array);
        Some(Cow::Borrowed(if words { std::slice::from_ref(inputs) } else { list }))
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let defaults = Options::default();
        let strategy = parameters.take::<String>("aggregation_strategy")?.map(|name| strategy(&name)).transpose()?;
        let options = Options {
            aggregation_strategy: strategy.unwrap_or_default(),
            ignore_labels: parameters.take("ignore_labels")?.unwrap_or(defaults.ignore_labels),
            stride: parameters.take("stride")?,
            delimiter: parameters.take("delimiter")?.unwrap_or(defaults.delimiter),
            offset_mapping: parameters.take::<Value>("offset_mapping")?.map(offset_mapping).transpose()?,
            batch_size: parameters.take("batch_size")?,
        };
        let split = parameters.take("is_split_into_words")?.unwrap_or(false);
        parameters.finish(Self::TASK.parameters)?;
        if options.stride.is_some() && strategy == Some(AggregationStrategy::None) {
            return Err(Error::request(
                "parameters.stride",
                "windows overlap, so tokens must be aggregated; choose an aggregation_strategy",
            ));
        }
        let answers = self.answer(inputs.iter().map(|input| parse(input, split)).collect(), &options)?;
        Ok(answers.into_iter().map(|entities| entities.map(|entities| json!(entities))).collect())
    }
}

fn strategy(name: &str) -> Result<AggregationStrategy> {
    serde_json::from_value(json!(name.to_lowercase())).map_err(|e| Error::request("parameters.aggregation_strategy", e))
}

/// One list of offsets for each input; a single list is that of a single input.
fn offset_mapping(value: Value) -> Result<Vec<Offsets>> {
    let bad = |e| Error::request("parameters.offset_mapping", e);
    let single = value.pointer("/0/0").is_some_and(Value::is_number);
    if single { serde_json::from_value(value).map(|one| vec![one]).map_err(bad) } else { serde_json::from_value(value).map_err(bad) }
}

fn parse(input: &Value, split: bool) -> Result<Input> {
    match input {
        Value::String(text) if !split => Ok(Input::Text(text.clone())),
        Value::Array(words) if split => words
            .iter()
            .map(|word| word.as_str().map(String::from).ok_or_else(|| Error::request("inputs", format!("a word is {}", kind(word)))))
            .collect::<Result<_>>()
            .map(Input::Words),
        other if split => Err(Error::request("inputs", format!("with is_split_into_words, expected a list of words, not {}", kind(other)))),
        other => Err(Error::request("inputs", format!("expected a string, not {}", kind(other)))),
    }
}

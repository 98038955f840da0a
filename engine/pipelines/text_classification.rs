//! `text-classification`: labels for a text, or for a pair of texts.

use std::num::NonZeroUsize;

use formers_models::Head;
use ndarray::ArrayViewD;
use serde_json::{Value, json};

use super::{
    Medium, Parameters, Pipeline, Task,
    arguments::{all, kind, only, string_field},
    boxed, labels,
    text::{Output, TextModel, keep_errors},
    tokenize::encode_options,
};
use crate::{
    Error, Result,
    model::Pretrained,
    postprocess::scores::FunctionToApply,
    preprocess::text::{EncodeOptions, Text},
};

pub use super::labels::Label;

/// Labels for texts.
#[derive(Debug)]
pub struct TextClassification {
    model: TextModel,
}

/// A text, or a pair of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self { text: text.into(), text_pair: None }
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self { text, text_pair: None }
    }
}

impl From<(&str, &str)> for Input {
    fn from((text, pair): (&str, &str)) -> Self {
        Self { text: text.into(), text_pair: Some(pair.into()) }
    }
}

/// How to classify.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How many labels, best first; all of them where it is `None`.
    pub top_k: Option<usize>,
    /// What makes scores of logits; by default what `config.json` asks for: nothing for a regression, a sigmoid for one
    /// label or several independent ones, else a softmax.
    pub function_to_apply: Option<FunctionToApply>,
    /// So many texts run at once at most, `None` for as many as are good.
    pub batch_size: Option<NonZeroUsize>,
    /// How texts are tokenized.
    pub encode: EncodeOptions,
}

impl TextClassification {
    /// The best label of a text, or of a pair.
    pub fn run(&self, input: impl Into<Input>) -> Result<Vec<Label>> {
        let options = Options { top_k: Some(1), ..Options::default() };
        self.run_many(&[input.into()], &options).swap_remove(0)
    }

    /// The labels of many inputs, in their order; an input that fails does not harm the others.
    pub fn run_many(&self, inputs: &[Input], options: &Options) -> Vec<Result<Vec<Label>>> {
        let function = options.function_to_apply.unwrap_or_else(|| labels::default_function(&self.model.config));
        self.logits(inputs, options, |logits| labels::best(&self.model.config, &function.of(logits), options.top_k.unwrap_or(usize::MAX)))
    }

    fn logits<T: Send>(&self, inputs: &[Input], options: &Options, read: impl Fn(&[f32]) -> Result<T> + Sync) -> Vec<Result<T>> {
        let encode = |input: &Input| {
            // As in Python, an empty second text is none, but for tokenizers that are themselves written in Python.
            let pair = input.text_pair.as_deref().filter(|pair| !pair.is_empty() || !self.model.tokenizer.has_offsets());
            self.model.tokenizer.encode(&input.text, pair.map(Text::from), &options.encode)
        };
        let encoded = inputs.iter().map(encode).collect();
        keep_errors(encoded, |encodings| {
            let read = |_: usize, views: &[ArrayViewD<f32>]| read(&views[0].iter().copied().collect::<Vec<_>>());
            self.model.run(options.batch_size, &encodings, &[Output::Row("logits")], read)
        })
    }
}

impl Pipeline for TextClassification {
    const TASK: Task = Task {
        id: "text-classification",
        aliases: &["sentiment-analysis"],
        summary: "Labels for a text, or for a pair of texts",
        default_model: "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        heads: &[Head::SequenceClassification],
        inputs: "a string, an object {text, text_pair}, or a list of them",
        fields: &["text", "text_pair?"],
        parameters: &[
            "top_k",
            "function_to_apply",
            "batch_size",
            "truncation",
            "max_length",
            "add_special_tokens",
            "stride",
            "truncation_side",
            "padding",
        ],
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { model: TextModel::load(pretrained, Head::SequenceClassification)? })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        // As in Python, a lone string is answered by a list where `top_k` is not given.
        let listed = inputs.is_string() && !parameters.has("top_k");
        let answers = match inputs {
            Value::Array(list) if list.is_empty() => return Err(Error::request("inputs", "an empty list")),
            Value::Array(list) => return all(self.call_many(list, parameters)?).map(Value::Array),
            one => self.call_many(std::slice::from_ref(one), parameters)?,
        };
        only(answers).map(|answer| if listed { json!([answer]) } else { answer })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let top_k: Option<Option<usize>> = parameters.take_nullable("top_k")?;
        let options = Options {
            top_k: top_k.unwrap_or(Some(1)),
            function_to_apply: labels::function_to_apply(&mut parameters)?,
            batch_size: parameters.take("batch_size")?,
            encode: encode_options(&mut parameters)?,
        };
        parameters.finish(Self::TASK.parameters)?;
        // Without `top_k`, each answer is the best label by itself.
        let bare = top_k.is_none();
        let parsed = inputs.iter().map(parse).collect();
        Ok(keep_errors(parsed, |inputs: Vec<&Input>| {
            let inputs: Vec<Input> = inputs.into_iter().cloned().collect();
            let answers = self.run_many(&inputs, &options);
            answers.into_iter().map(|labels| labels.map(|l| if bare { json!(l.first()) } else { json!(l) })).collect()
        }))
    }
}

fn parse(input: &Value) -> Result<Input> {
    match input {
        Value::String(text) => Ok(text.as_str().into()),
        Value::Object(_) => {
            let text_pair = input.get("text_pair").filter(|v| !v.is_null()).map(|_| string_field(input, "text_pair")).transpose()?;
            Ok(Input { text: string_field(input, "text")?.into(), text_pair: text_pair.map(Into::into) })
        }
        // The old form of a pair: [[text, text_pair]] as one of the inputs.
        Value::Array(list)
            if let [Value::Array(pair)] = list.as_slice()
                && let [Value::String(text), Value::String(text_pair)] = pair.as_slice() =>
        {
            Ok((text.as_str(), text_pair.as_str()).into())
        }
        other => Err(Error::request("inputs", format!("expected a string or an object {{\"text\", \"text_pair\"}}, not {}", kind(other)))),
    }
}

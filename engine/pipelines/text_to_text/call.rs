//! A call of a task that turns texts into others: what it asks for, and the form of its answers.

use serde_json::{Value, json};

use super::{Answer, Options};
use crate::{
    Error, Result,
    config::GenerationConfig,
    pipelines::{
        Parameters,
        arguments::kind,
        constraint::{self, constraint},
        parameters::{joined, without},
        tokenize::truncation,
    },
};

/// The parameters of these tasks that are not those of `generate`.
const OWN_PARAMETERS: &[&str] = &[
    "assistant_model",
    "return_tensors",
    "return_text",
    "clean_up_tokenization_spaces",
    "truncation",
    "stop_sequence",
    "batch_size",
    constraint::PARAMETERS[0],
    constraint::PARAMETERS[1],
    constraint::PARAMETERS[2],
    constraint::PARAMETERS[3],
];

/// Parameters of `generate` that these tasks do not have: the reference's pipelines fail with what is told beside answers.
const NOT_HERE: &[&str] = &["logprobs", "output_logits", "output_scores", "return_dict_in_generate"];

const OF_GENERATE: [&str; GenerationConfig::PARAMETERS.len() - NOT_HERE.len()] = without(GenerationConfig::PARAMETERS, NOT_HERE);

/// The parameters that all these tasks have.
pub(crate) const PARAMETERS: [&str; OWN_PARAMETERS.len() + OF_GENERATE.len()] = joined(OWN_PARAMETERS, &OF_GENERATE);

/// A call, read.
pub(crate) struct Call<'a> {
    inputs: &'a [Value],
    pub(crate) options: Options,
    /// Whether the answers are to be tokens.
    tensors: bool,
}

impl<'a> Call<'a> {
    /// Reads what the task has not taken; `known` are all of its parameters.
    pub(crate) fn new(inputs: &'a [Value], mut parameters: Parameters, known: &[&str]) -> Result<Self> {
        let tensors = parameters.take::<bool>("return_tensors")?.unwrap_or(false);
        parameters.take::<bool>("return_text")?;
        let options = Options {
            batch_size: parameters.take("batch_size")?,
            truncation: truncation(&mut parameters)?.unwrap_or_default(),
            clean_up_tokenization_spaces: parameters.take("clean_up_tokenization_spaces")?.unwrap_or(false),
            stop_sequence: parameters.take("stop_sequence")?,
            constraint: constraint(&mut parameters)?,
            assistant_model: parameters.take("assistant_model")?,
            generation: parameters.take_rest(|name| GenerationConfig::knows(name) && !NOT_HERE.contains(&name)),
        };
        parameters.finish(known)?;
        Ok(Self { inputs, options, tensors })
    }

    /// The texts.
    pub(crate) fn texts(&self) -> Vec<Result<&'a str>> {
        let text = |input: &'a Value| {
            let expected = || Error::request("inputs", format!("expected a string or a list of them, not {}", kind(input)));
            input.as_str().ok_or_else(expected)
        };
        self.inputs.iter().map(text).collect()
    }

    /// The only text, where its answer can be told as it comes: one answer, which is nothing but text, and no beams.
    pub(crate) fn streamed(&self, config: &GenerationConfig) -> Option<&'a str> {
        let is_plain = config.num_beams == 1 && config.num_return_sequences == 1 && !self.tensors;
        let [text] = self.inputs else { return None };
        text.as_str().filter(|_| is_plain)
    }

    /// The answers to each text as the reference gives them, under names that begin with `name`.
    pub(crate) fn records(&self, name: &str, answers: Vec<Result<Vec<Answer>>>) -> Vec<Result<Vec<Value>>> {
        let record = |answer: Answer| match self.tensors {
            true => json!({format!("{name}_token_ids"): answer.token_ids}),
            false => json!({format!("{name}_text"): answer.text}),
        };
        answers.into_iter().map(|answers| Ok(answers?.into_iter().map(record).collect())).collect()
    }
}

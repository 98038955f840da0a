//! `summarization`: what a text says, in short.

use formers_models::Head;
use serde_json::Value;

use super::{
    Parameters, Pipeline, Task, boxed,
    text_generation::TextPieces,
    text_to_text::{self, PARAMETERS, TextToText},
};
use crate::{Result, config::GenerationConfig, model::Pretrained};

pub use super::text_to_text::{Answer, Options};

/// Says in short what texts say.
#[derive(Debug)]
pub struct Summarization {
    model: TextToText,
}

impl Summarization {
    /// The summary of a text.
    pub fn run(&self, text: &str) -> Result<String> {
        self.run_many(&[text], &Options::default()).and_then(text_to_text::only)
    }

    /// The summaries of many texts, in their order, for each `num_return_sequences`; a text that fails does not harm the others.
    pub fn run_many(&self, texts: &[&str], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        self.answers(texts.iter().copied().map(Ok).collect(), options)
    }

    /// The summary of a text, piece by piece as it comes; dropping it ends the work. It takes `num_beams` 1: beams are known only at the
    /// end.
    pub fn stream(&self, text: &str, options: &Options) -> Result<TextPieces<'_>> {
        self.model.stream(&self.model.encode(text, options)?, &self.model.configuration(options)?, options)
    }

    fn answers(&self, texts: Vec<Result<&str>>, options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        let config = self.model.configuration(options)?;
        let encoded: Vec<Result<Vec<u32>>> = texts.into_iter().map(|text| self.model.encode(text?, options)).collect();
        encoded.iter().flatten().for_each(|ids| warn(ids.len(), &config));
        self.model.run(encoded, &config, options)
    }
}

/// As the reference does.
fn warn(input_length: usize, config: &GenerationConfig) {
    let (min_length, max_length) = (config.min_length, config.max_length.unwrap_or(20));
    if max_length < min_length {
        tracing::warn!("Your min_length={min_length} must be inferior than your max_length={max_length}.");
    }
    if i64::try_from(input_length).is_ok_and(|length| length < max_length) {
        tracing::warn!(
            "Your max_length is set to {max_length}, but your input_length is only {input_length}. Since this is a summarization task, \
             where outputs shorter than the input are typically wanted, you might consider decreasing max_length manually, e.g. \
             max_length={}",
            input_length / 2
        );
    }
}

impl Pipeline for Summarization {
    const TASK: Task = Task {
        id: "summarization",
        aliases: &[],
        summary: "What a text says, in short",
        default_model: "sshleifer/distilbart-cnn-12-6",
        heads: &[Head::Seq2SeqLm],
        inputs: "a string, or a list of strings",
        fields: &[],
        parameters: PARAMETERS,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { model: TextToText::load(pretrained, Self::TASK.id)? })
    }

    fn call(&self, inputs: &Value, mut parameters: Parameters) -> Result<Value> {
        let (options, tensors) = text_to_text::options(&mut parameters)?;
        parameters.finish(Self::TASK.parameters)?;
        let answers = self.answers(text_to_text::texts(inputs)?, &options)?;
        text_to_text::shown("summary", inputs, answers, tensors)
    }
}

//! `summarization`: what a text says, in short.

use formers_models::Head;
use serde_json::Value;

use super::{
    Medium, Parameters, Pipeline, Task, TextIter, boxed,
    text_generation::TextPieces,
    text_to_text::{self, Call, PARAMETERS, TextToText},
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
        self.model.answers(texts.iter().copied().map(Ok).collect(), options, warn)
    }

    /// The summary of a text, piece by piece as it comes; dropping it ends the work. It takes `num_beams` 1: beams are known only at the
    /// end.
    pub fn stream(&self, text: &str, options: &Options) -> Result<TextPieces<'_>> {
        self.model.stream(&self.model.encode(text, options)?, &self.model.configuration(options)?, options)
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

impl Summarization {
    fn records(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Vec<Value>>>> {
        let call = Call::new(inputs, parameters, Self::TASK.parameters)?;
        Ok(call.records("summary", self.model.answers(call.texts(), &call.options, warn)?))
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
        parameters: &PARAMETERS,
        medium: Medium::Text,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        Ok(Self { model: TextToText::load(pretrained, Self::TASK.id)? })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        text_to_text::called(inputs, |inputs| self.records(inputs, parameters))
    }

    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>> {
        self.records(inputs, parameters).map(text_to_text::each)
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        self.model.stream_call(&Call::new(std::slice::from_ref(inputs), parameters, Self::TASK.parameters)?, warn)
    }
}

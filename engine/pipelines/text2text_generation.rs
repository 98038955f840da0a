//! `text2text-generation`: what a model makes of a text.

use formers_models::Head;
use serde_json::Value;

use super::{
    Medium, Parameters, Pipeline, Task, TextIter, boxed,
    text_generation::TextPieces,
    text_to_text::{self, Call, PARAMETERS, TextToText},
};
use crate::{Result, model::Pretrained};

pub use super::text_to_text::{Answer, Options};

/// Turns texts into other texts.
#[derive(Debug)]
pub struct Text2TextGeneration {
    model: TextToText,
}

impl Text2TextGeneration {
    /// What the model makes of a text.
    pub fn run(&self, text: &str) -> Result<String> {
        self.run_many(&[text], &Options::default()).and_then(text_to_text::only)
    }

    /// What the model makes of a text, piece by piece as it comes; dropping it ends the work. It takes `num_beams` 1: beams are known
    /// only at the end.
    pub fn stream(&self, text: &str, options: &Options) -> Result<TextPieces<'_>> {
        self.model.stream(&self.model.encode(text, options)?, &self.model.configuration(options)?, options)
    }

    /// What the model makes of many texts, in their order, for each `num_return_sequences` answers; a text that fails does not harm
    /// the others.
    pub fn run_many(&self, texts: &[&str], options: &Options) -> Result<Vec<Result<Vec<Answer>>>> {
        self.model.answers(texts.iter().copied().map(Ok).collect(), options, |_, _| {})
    }
}

impl Text2TextGeneration {
    fn records(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Vec<Value>>>> {
        let call = Call::new(inputs, parameters, Self::TASK.parameters)?;
        Ok(call.records("generated", self.model.answers(call.texts(), &call.options, |_, _| {})?))
    }
}

impl Pipeline for Text2TextGeneration {
    const TASK: Task = Task {
        id: "text2text-generation",
        aliases: &[],
        summary: "What a model makes of a text",
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
        Ok(Self { model: TextToText::load(pretrained, Self::TASK.id)? })
    }

    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        text_to_text::called(inputs, |inputs| self.records(inputs, parameters))
    }

    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>> {
        self.records(inputs, parameters).map(text_to_text::each)
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        self.model.stream_call(&Call::new(std::slice::from_ref(inputs), parameters, Self::TASK.parameters)?, |_, _| {})
    }
}

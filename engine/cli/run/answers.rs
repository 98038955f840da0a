//! Many inputs, each answered by itself.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use anyhow::Result;
use formers::{
    Error, ErrorKind,
    model::Head,
    pipelines::{AnyPipeline, Medium},
};
use serde_json::{Value, json};

use super::{Content, Item, Place};
use crate::cli::failure::{self, Called, SomeFailed};

/// So many inputs are answered at once in the beginning.
const FEW: usize = 8;
/// And no more than so many, however fast they are.
const MANY: usize = 1024;
/// Answers should come at least this often.
const OFTEN: Duration = Duration::from_secs(1);

/// A pipeline with the parameters that inputs share, and how it went with them.
pub(super) struct Answers<'a> {
    pub(super) pipeline: &'a dyn AnyPipeline,
    pub(super) parameters: &'a Value,
    /// How many inputs there were.
    pub(super) of: u64,
    failed: u64,
    first: Option<String>,
    at_once: usize,
    /// Whether more inputs than that may be answered at once when there is time.
    grows: bool,
    /// Whether answers say which input they belong to.
    with_input: bool,
}

impl<'a> Answers<'a> {
    pub(super) fn new(pipeline: &'a dyn AnyPipeline, parameters: &'a Value) -> Self {
        let batch_size = parameters.get("batch_size").cloned().and_then(|size| serde_json::from_value::<NonZeroUsize>(size).ok());
        // Nothing is won by gathering sounds, which run one by one.
        let one_by_one = pipeline.task().medium == Medium::Audio;
        let at_once = batch_size.map_or(if one_by_one { 1 } else { FEW }, NonZeroUsize::get);
        Self { pipeline, parameters, of: 0, failed: 0, first: None, at_once, grows: batch_size.is_none() && !one_by_one, with_input: false }
    }

    /// The same, with answers that say which input they belong to.
    pub(super) fn with_input(self, with_input: bool) -> Self {
        Self { with_input, ..self }
    }

    /// How many inputs to gather.
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    /// How many inputs to gather of those that are all there: what depends on what else is answered is answered together.
    pub(super) fn of_list(&self) -> usize {
        let heads = self.pipeline.task().heads;
        let writes = heads.iter().any(|head| matches!(head, Head::CausalLm | Head::Seq2SeqLm | Head::ImageTextToText));
        if writes || self.parameters.get("offset_mapping").is_some() { usize::MAX } else { self.at_once }
    }

    /// The answers to inputs, in their order, each that failed as an object with its error.
    ///
    /// # Errors
    /// What is wrong whatever the input is, as long as none was answered.
    pub(super) fn answer(&mut self, items: Vec<Item>) -> Result<Vec<Value>> {
        let start = Instant::now();
        let count = items.len();
        let (places, contents): (Vec<Place>, Vec<_>) = items.into_iter().map(|item| (item.place, item.content)).unzip();
        let answers = self.each(contents)?;
        let answers = places.into_iter().zip(answers).map(|(place, answer)| self.shown(&place, answer)).collect();
        if self.grows && count >= self.at_once && start.elapsed() < OFTEN {
            self.at_once = (self.at_once * 2).min(MANY);
        }
        Ok(answers)
    }

    fn shown(&mut self, place: &Place, answer: formers::Result<Value>) -> Value {
        let index = self.of;
        self.of += 1;
        let place_fields = place.fields(index);
        let mut shown = match answer {
            Ok(answer) if self.with_input => json!({ "answer": answer }),
            Ok(answer) => answer,
            Err(error) => {
                self.failed += 1;
                self.first.get_or_insert_with(|| place.tell(index, error.message()));
                failure::in_place(&error, place_fields.clone())
            }
        };
        if let Some(fields) = shown.as_object_mut().filter(|_| self.with_input) {
            *fields = place_fields.into_iter().chain(std::mem::take(fields)).collect();
        }
        shown
    }

    fn each(&self, contents: Vec<formers::Result<Content>>) -> Result<Vec<formers::Result<Value>>> {
        let mut inputs = Vec::new();
        let mut shared = |content| match content {
            Content::Input(input) => {
                inputs.push(input);
                None
            }
            Content::Request(request) => Some(request),
        };
        let contents: Vec<formers::Result<Option<_>>> = contents.into_iter().map(|content| content.map(&mut shared)).collect();
        let mut answers = self.alike(&inputs)?.into_iter();
        let mut answer = |content: formers::Result<Option<formers::pipelines::Request>>| match content? {
            Some(request) => {
                let parameters = merged(self.parameters, &request.parameters);
                self.pipeline.call(&request.inputs, &parameters)
            }
            None => answers.next().unwrap_or_else(|| Err(Error::new(ErrorKind::Runtime, "an input was not answered"))),
        };
        Ok(contents.into_iter().map(&mut answer).collect())
    }

    /// Inputs with the same parameters. What is wrong with these is wrong with all.
    fn alike(&self, inputs: &[Value]) -> Result<Vec<formers::Result<Value>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let error = match self.pipeline.call_many(inputs, self.parameters) {
            Ok(answers) => return Ok(answers),
            Err(error) => error,
        };
        let alone = |input: &Value| {
            let answers = self.pipeline.call_many(std::slice::from_ref(input), self.parameters);
            answers
                .and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(Error::new(ErrorKind::Runtime, "an input was not answered"))))
        };
        // The ends of the list stand for the rest of it.
        let ends: Vec<&Value> = inputs.first().into_iter().chain(inputs.last()).collect();
        let is_of_all = |input: &&Value| self.pipeline.call_many(std::slice::from_ref(input), self.parameters).is_err();
        if self.of == 0 && ends.iter().all(is_of_all) {
            return Err(Called(error).into());
        }
        Ok(inputs.iter().map(alone).collect())
    }

    /// What there is to tell at the end: some failed, or nothing.
    pub(super) fn end(self) -> Result<()> {
        match self.first {
            Some(first) => Err(SomeFailed { failed: self.failed, of: self.of, first }.into()),
            None => Ok(()),
        }
    }
}

/// Parameters with those of a single request, which go before.
pub(super) fn merged(shared: &Value, own: &Value) -> Value {
    let mut all = shared.as_object().cloned().unwrap_or_default();
    all.extend(own.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

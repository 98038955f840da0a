//! The tasks, one file each: prepare the inputs, run the model, read the outputs.
//!
//! A new task is a file with a `TASK`, and its line in [`TASKS`].

#![cfg_attr(not(all(feature = "text", feature = "image", feature = "audio")), allow(dead_code))] // what only other tasks use

mod arguments;
#[cfg(feature = "text")]
mod assistant;
#[cfg(feature = "text")]
mod batches;
mod builder;
#[cfg(feature = "text")]
mod constraint;
pub(crate) mod elsewhere;
#[cfg(feature = "text")]
mod fits;
#[cfg(any(feature = "text", feature = "image"))]
mod fixed;
#[cfg(feature = "image")]
mod image;
mod labels;
mod medium;
mod near;
mod parameters;
mod request;
#[cfg(feature = "text")]
mod text;
#[cfg(feature = "text")]
mod text_to_text;
#[cfg(feature = "text")]
mod tokenize;
mod usage;

#[cfg(feature = "audio")]
pub mod automatic_speech_recognition;
#[cfg(feature = "text")]
pub mod decision;
#[cfg(feature = "text")]
pub mod feature_extraction;
#[cfg(feature = "text")]
pub mod fill_mask;
#[cfg(feature = "image")]
pub mod image_classification;
#[cfg(all(feature = "text", feature = "image"))]
pub mod image_text_to_text;
#[cfg(feature = "text")]
pub mod question_answering;
#[cfg(feature = "text")]
pub mod sentence_similarity;
#[cfg(feature = "text")]
pub mod summarization;
#[cfg(feature = "text")]
pub mod text2text_generation;
#[cfg(feature = "text")]
pub mod text_classification;
#[cfg(feature = "text")]
pub mod text_generation;
#[cfg(feature = "text")]
pub mod text_ranking;
#[cfg(feature = "text")]
pub mod token_classification;
#[cfg(feature = "text")]
pub mod translation;
#[cfg(feature = "text")]
pub mod zero_shot_classification;

use std::borrow::Cow;

use formers_models::Head;
use serde_json::Value;

pub use builder::Builder;
pub use medium::Medium;
pub(crate) use near::did_you_mean;
#[doc(hidden)]
pub use near::near;
pub use parameters::Parameters;
pub use request::Request;

#[cfg(feature = "audio")]
pub use automatic_speech_recognition::AutomaticSpeechRecognition;
#[cfg(feature = "text")]
pub use decision::Decision;
#[cfg(feature = "text")]
pub use feature_extraction::FeatureExtraction;
#[cfg(feature = "text")]
pub use fill_mask::FillMask;
#[cfg(feature = "image")]
pub use image_classification::ImageClassification;
#[cfg(all(feature = "text", feature = "image"))]
pub use image_text_to_text::ImageTextToText;
pub use labels::Label;
#[cfg(feature = "text")]
pub use question_answering::QuestionAnswering;
#[cfg(feature = "text")]
pub use sentence_similarity::SentenceSimilarity;
#[cfg(feature = "text")]
pub use summarization::Summarization;
#[cfg(feature = "text")]
pub use text_classification::TextClassification;
#[cfg(feature = "text")]
pub use text_generation::TextGeneration;
#[cfg(feature = "text")]
pub use text_ranking::TextRanking;
#[cfg(feature = "text")]
pub use text2text_generation::Text2TextGeneration;
#[cfg(feature = "text")]
pub use token_classification::TokenClassification;
#[cfg(feature = "text")]
pub use translation::Translation;
#[cfg(feature = "text")]
pub use zero_shot_classification::ZeroShotClassification;

use crate::{
    Error, ErrorKind, Result,
    config::ModelConfig,
    model::{Options, Pretrained},
};

/// A task with its model loaded, used from any number of threads through `&self`.
pub trait Pipeline: Sized + Send + Sync + 'static {
    /// The task.
    const TASK: Task;

    /// Loads what the task needs of a checkpoint.
    fn load(pretrained: &Pretrained) -> Result<Self>;

    /// Answers as the Python pipeline does: `inputs` is its first argument, `parameters` are its keyword arguments. One input that fails
    /// fails the call.
    fn call(&self, inputs: &Value, parameters: Parameters) -> Result<Value> {
        match Self::inputs_of(inputs, &parameters) {
            Some(list) if list.is_empty() => Err(Error::request("inputs", "an empty list")),
            Some(list) => arguments::all(self.call_many(&list, parameters)?).map(Value::Array),
            None => arguments::only(self.call_many(std::slice::from_ref(inputs), parameters)?),
        }
    }

    /// The answers to many inputs, in their order, each as it stands in the answer to a list of several; an input that fails does not harm
    /// the others.
    ///
    /// # Errors
    /// Parameters that suit no input.
    fn call_many(&self, inputs: &[Value], parameters: Parameters) -> Result<Vec<Result<Value>>>;

    /// The inputs that the first argument of a call stands for, where it stands for a list of them.
    fn inputs_of<'a>(inputs: &'a Value, _parameters: &Parameters) -> Option<Cow<'a, [Value]>> {
        inputs.as_array().map(|list| Cow::Borrowed(list.as_slice()))
    }

    /// The text of an answer as it comes, from tasks that write text, where the call asks for one answer that is nothing but text; else
    /// `None`. The pieces joined are the text in what [`Pipeline::call`] answers.
    fn stream_call<'a>(&'a self, _inputs: &'a Value, _parameters: Parameters) -> Result<Option<TextIter<'a>>> {
        Ok(None)
    }

    /// The task with a model from a folder or a Hub name, everything else at its default.
    fn from_pretrained(model: &str) -> Result<Self> {
        Self::builder(model).build()
    }

    /// As [`Pipeline::from_pretrained`], with what that leaves at its default.
    fn builder(model: &str) -> Builder<Self> {
        Builder::new(model)
    }
}

/// Pieces of a text as it comes.
pub type TextIter<'a> = Box<dyn Iterator<Item = Result<String>> + 'a>;

/// A pipeline of whatever task, with JSON in and out.
pub trait AnyPipeline: Send + Sync {
    /// The task.
    fn task(&self) -> &'static Task;

    /// As [`Pipeline::call`]; `parameters` is an object, or null.
    fn call(&self, inputs: &Value, parameters: &Value) -> Result<Value>;

    /// As [`Pipeline::call_many`].
    fn call_many(&self, inputs: &[Value], parameters: &Value) -> Result<Vec<Result<Value>>>;

    /// As [`Pipeline::inputs_of`].
    fn inputs_of<'a>(&self, inputs: &'a Value, parameters: &Value) -> Result<Option<Cow<'a, [Value]>>>;

    /// As [`Pipeline::stream_call`].
    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: &Value) -> Result<Option<TextIter<'a>>>;
}

impl<P: Pipeline> AnyPipeline for P {
    fn task(&self) -> &'static Task {
        const { &P::TASK }
    }

    fn call(&self, inputs: &Value, parameters: &Value) -> Result<Value> {
        Pipeline::call(self, inputs, Parameters::new(parameters)?)
    }

    fn call_many(&self, inputs: &[Value], parameters: &Value) -> Result<Vec<Result<Value>>> {
        Pipeline::call_many(self, inputs, Parameters::new(parameters)?)
    }

    fn inputs_of<'a>(&self, inputs: &'a Value, parameters: &Value) -> Result<Option<Cow<'a, [Value]>>> {
        Ok(P::inputs_of(inputs, &Parameters::new(parameters)?))
    }

    fn stream_call<'a>(&'a self, inputs: &'a Value, parameters: &Value) -> Result<Option<TextIter<'a>>> {
        Pipeline::stream_call(self, inputs, Parameters::new(parameters)?)
    }
}

/// A task of the table.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Its name, such as `text-classification`.
    pub id: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// What it does, in a line.
    pub summary: &'static str,
    /// The model that is taken where none is named: that of the Python pipeline.
    pub default_model: &'static str,
    /// The heads that it runs on.
    pub heads: &'static [Head],
    /// The inputs that it takes, for people.
    pub inputs: &'static str,
    /// The fields of an input that is an object, in the order in which the command line fills them: `name[]` holds a list, and
    /// `name?` may be missing, so that the input can also be what the other field holds.
    pub fields: &'static [&'static str],
    /// The parameters that it takes.
    pub parameters: &'static [&'static str],
    /// What its inputs are where they are strings.
    pub medium: Medium,
    /// Whether it can be done with a checkpoint that has the head, by what its config says.
    pub(crate) suits: fn(&ModelConfig) -> bool,
    /// Loads it.
    pub(crate) load: fn(&Pretrained) -> Result<Box<dyn AnyPipeline>>,
}

/// The `load` of a task's entry.
pub(crate) fn boxed<P: Pipeline>(pretrained: &Pretrained) -> Result<Box<dyn AnyPipeline>> {
    Ok(Box::new(P::load(pretrained)?))
}

/// Every task, in alphabetical order.
pub const TASKS: &[Task] = &[
    #[cfg(feature = "audio")]
    AutomaticSpeechRecognition::TASK,
    #[cfg(feature = "text")]
    Decision::TASK,
    #[cfg(feature = "text")]
    FeatureExtraction::TASK,
    #[cfg(feature = "text")]
    FillMask::TASK,
    #[cfg(feature = "image")]
    ImageClassification::TASK,
    #[cfg(all(feature = "text", feature = "image"))]
    ImageTextToText::TASK,
    #[cfg(feature = "text")]
    QuestionAnswering::TASK,
    #[cfg(feature = "text")]
    SentenceSimilarity::TASK,
    #[cfg(feature = "text")]
    Summarization::TASK,
    #[cfg(feature = "text")]
    TextClassification::TASK,
    #[cfg(feature = "text")]
    TextGeneration::TASK,
    #[cfg(feature = "text")]
    TextRanking::TASK,
    #[cfg(feature = "text")]
    Text2TextGeneration::TASK,
    #[cfg(feature = "text")]
    TokenClassification::TASK,
    #[cfg(feature = "text")]
    Translation::TASK,
    #[cfg(feature = "text")]
    ZeroShotClassification::TASK,
];

/// The task of a name or an alias; a translation may name its languages, as in `translation_en_to_fr`.
pub fn find(name: &str) -> Result<&'static Task> {
    #[cfg(feature = "text")]
    let name = translation::pair(name).map_or(name, |_| Translation::TASK.id);
    TASKS.iter().find(|task| task.id == name || task.aliases.contains(&name)).ok_or_else(|| {
        let ids: Vec<&str> = TASKS.iter().map(|task| task.id).collect();
        let names = TASKS.iter().flat_map(|task| task.aliases.iter().copied().chain([task.id]));
        Error::unsupported(format!("no task {name:?}{}: there are {}", near::did_you_mean(name, names), ids.join(", ")))
    })
}

/// The tasks that a checkpoint can do: those for the head that it was saved with, and those that need none.
pub fn tasks_of(pretrained: &Pretrained) -> Vec<&'static Task> {
    let head = pretrained.head();
    let can = |task: &&Task| task.heads.iter().any(|needed| *needed == head || *needed == Head::Base) && (task.suits)(&pretrained.config);
    let mut tasks: Vec<&Task> = TASKS.iter().filter(can).collect();
    // What it was made for comes first.
    tasks.sort_by_key(|task| !task.heads.contains(&head));
    tasks
}

/// Loads what a task needs of a checkpoint. Where that is for other tasks, the error says for which.
fn loaded<T>(task: &Task, pretrained: &Pretrained, load: impl FnOnce(&Pretrained) -> Result<T>) -> Result<T> {
    load(pretrained).map_err(|error| explained(error, task, pretrained))
}

/// What went wrong with a task; where the checkpoint is for others, with those.
#[doc(hidden)]
pub fn explained(error: Error, task: &Task, pretrained: &Pretrained) -> Error {
    let tasks = tasks_of(pretrained);
    let another_head = matches!(error.kind(), ErrorKind::Checkpoint | ErrorKind::Unsupported | ErrorKind::Config);
    if !another_head || tasks.is_empty() || tasks.iter().any(|known| known.id == task.id) {
        return error;
    }
    let class = pretrained.config.architectures().first().copied().unwrap_or(pretrained.config.model_type()).to_owned();
    let ids: Vec<&str> = tasks.iter().map(|task| task.id).collect();
    let message = format!("{error}; this checkpoint is {class}: it can do {}", ids.join(", "));
    Error::new(error.kind(), message).caused_by(error)
}

/// A task by its name, with a model, as `transformers.pipeline(task, model)`.
pub fn pipeline(task: &str, mut options: Options) -> Result<Box<dyn AnyPipeline>> {
    options.task = Some(task.to_owned());
    let task = find(task)?;
    if options.model.is_empty() {
        options.model = task.default_model.to_string();
    }
    loaded(task, &Pretrained::open(options)?, task.load)
}

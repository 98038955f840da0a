//! A checkpoint becomes sessions: its own graph from safetensors, or the ONNX files that it ships.

mod adapter;
mod convert;
pub mod converted;
mod export;
mod files;
mod genai;
mod manifest;
#[cfg(feature = "text")]
mod modules;
mod onnx;
mod options;
#[cfg_attr(not(feature = "text"), allow(dead_code))] // only texts come in so many batches
mod part;
mod sentence;
mod staging;
mod weights;
#[cfg_attr(not(feature = "text"), allow(dead_code))] // only language models have caches
mod wiring;

use std::collections::BTreeMap;

pub use formers_models::Head;

pub use export::Exported;
pub use options::{Blocks, ModelDtype, Options, Source};
#[cfg(feature = "text")]
pub(crate) use part::Workers;
pub use sentence::SentenceConfig;
#[cfg(feature = "text")]
pub(crate) use wiring::{InPlace, Padding, Wiring};

use part::Part;

use crate::{
    Error, Result,
    config::ModelConfig,
    hub::Checkpoint,
    session::{Outputs, Port, Session, Value},
};

/// That a checkpoint is none, with what people may have meant.
fn without_config(checkpoint: &Checkpoint) -> Error {
    let files = checkpoint.files();
    let below = files.iter().filter_map(|file| file.strip_suffix("/config.json")).min_by_key(|folder| folder.matches('/').count());
    let hint = match below {
        Some(folder) => format!(": name the folder {folder} in it, which has one"),
        None if files.iter().any(|file| file.ends_with(".gguf")) => {
            ": GGUF files are not read; name the checkpoint that they were made from".to_owned()
        }
        None => String::new(),
    };
    let message = format!("{}: no config.json, so this is no Transformers checkpoint{hint}", checkpoint.name());
    Error::new(crate::ErrorKind::Checkpoint, message)
}

/// A checkpoint whose `config.json` has been read; pipelines load what they need from it.
#[derive(Debug)]
pub struct Pretrained {
    /// Its files.
    pub checkpoint: Checkpoint,
    /// Its `config.json`.
    pub config: ModelConfig,
    /// What the caller asked for.
    pub options: Options,
}

impl Pretrained {
    /// Opens a folder or a Hub name.
    pub fn open(options: Options) -> Result<Self> {
        let checkpoint = Checkpoint::open(&options.model, &options.hub)?;
        let config = match checkpoint.json("config.json")? {
            Some(config) => Some(config),
            None => genai::config(&checkpoint)?,
        };
        if config.is_none() {
            adapter::refuse(&checkpoint)?;
        }
        let config = config.ok_or_else(|| without_config(&checkpoint))?;
        let config = ModelConfig::new(config).map_err(|e| e.at(checkpoint.name()))?;
        Ok(Self { checkpoint, config, options })
    }

    /// The model with this head, as sessions.
    pub fn model(&self, head: Head) -> Result<Model> {
        let sessions = match self.source()? {
            Source::Onnx => onnx::sessions(self, head)?,
            _ => convert::sessions(self, head)?,
        };
        let model = Model { sessions };
        model.check_outputs(head).map_err(|e| e.at(self.checkpoint.name()))?;
        Ok(model)
    }

    /// The tokenizer.
    #[cfg(feature = "text")]
    pub fn tokenizer(&self) -> Result<crate::preprocess::text::Tokenizer> {
        crate::preprocess::text::Tokenizer::from_files(&self.checkpoint, self.config.value()).map_err(|e| e.at(self.checkpoint.name()))
    }

    /// The tokenizer as version 4 of the reference builds it, for tasks that version 5 no longer has.
    #[cfg(feature = "text")]
    pub fn tokenizer_v4(&self) -> Result<crate::preprocess::text::Tokenizer> {
        crate::preprocess::text::Tokenizer::from_files_v4(&self.checkpoint, self.config.value()).map_err(|e| e.at(self.checkpoint.name()))
    }

    /// Where the graph comes from: the checkpoint's weights if its architecture is known and they can be of the type that was asked
    /// for, else ready-made ONNX files.
    pub fn source(&self) -> Result<Source> {
        let known = formers_models::find(self.config.model_type()).is_some();
        let weights = weights::exist(&self.checkpoint);
        let onnx = onnx::exist(&self.checkpoint);
        // Ready-made graphs have in them what they are to have.
        if self.options.source == Source::Safetensors || self.options.source == Source::Auto && (known && weights || !onnx) {
            adapter::refuse(&self.checkpoint)?;
        }
        match self.options.source {
            Source::Auto if known && weights && convert::storage(&self.options).is_err() && onnx::files(self).is_ok() => Ok(Source::Onnx),
            Source::Auto if known && weights => Ok(Source::Safetensors),
            Source::Auto if onnx => Ok(Source::Onnx),
            Source::Auto if weights => Err(unknown(self.config.model_type()).at(self.checkpoint.name())),
            Source::Auto => onnx::unusable(&self.checkpoint).and(Err(Error::new(
                crate::ErrorKind::Checkpoint,
                format!("{}: neither weights (model.safetensors, pytorch_model.bin) nor ONNX files", self.checkpoint.name()),
            ))),
            chosen => Ok(chosen),
        }
    }
}

/// An architecture that the table lacks, with those that are spelled alike.
pub(crate) fn unknown(model_type: &str) -> Error {
    if model_type.is_empty() {
        return Error::config("config.json: model_type, which names the architecture, is missing or no string");
    }
    let mut near: Vec<(f64, &str)> =
        formers_models::ARCHITECTURES.iter().map(|a| (strsim::jaro_winkler(a.model_type, model_type), a.model_type)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.into_iter().filter(|(score, _)| *score > 0.75).take(3).map(|(_, name)| name).collect();
    let hint = if near.is_empty() { String::new() } else { format!(" (near: {})", near.join(", ")) };
    Error::unsupported(format!(
        "config.json: model_type: no architecture {model_type:?}{hint}; a repository that ships ONNX files (onnx/model.onnx) runs whatever its architecture"
    ))
}

/// The sessions of a model by their role: `model`, `encoder_model`, …
#[derive(Debug)]
pub struct Model {
    sessions: BTreeMap<String, Part>,
}

impl Model {
    /// The session of a role.
    pub fn session(&self, role: &str) -> Result<&Session> {
        self.sessions.get(role).map(|part| &part.session).ok_or_else(|| {
            let roles: Vec<&str> = self.sessions.keys().map(String::as_str).collect();
            Error::unsupported(format!("the model has no part {role:?}, only {}", roles.join(", ")))
        })
    }

    #[cfg(feature = "text")]
    /// What the operators of a role's graph say, where that is ready-made.
    pub(crate) fn wiring(&self, role: &str) -> Option<&Wiring> {
        self.sessions.get(role)?.wiring()
    }

    #[cfg(feature = "text")]
    /// Workers for so many batches of a role, where that is faster than one batch after the other on several threads.
    pub(crate) fn workers(&self, role: &str, batches: usize) -> Option<Workers<'_>> {
        self.sessions.get(role)?.workers(batches)
    }

    /// An error where the graph that answers lacks an output of the head, or has it with other axes.
    fn check_outputs(&self, head: Head) -> Result<()> {
        let answers = ["model", "decoder_model_merged", "decoder_model", "decoder_with_past_model", "decode"];
        let Some(session) = answers.iter().find_map(|role| self.session(role).ok()) else { return Ok(()) };
        for (name, axes) in head.outputs() {
            let wanted = || format!("`{name}` ({})", axes.join(", "));
            match session.output(name) {
                None => {
                    let listed = |ports: &[Port]| ports.iter().map(|port| format!("`{port}`")).collect::<Vec<_>>().join(", ");
                    let (inputs, outputs) = (listed(session.inputs()), listed(session.outputs()));
                    let message =
                        format!("the graph gives no {}, which {head} needs: its outputs are {outputs}, its inputs {inputs}", wanted());
                    return Err(Error::unsupported(message));
                }
                // A shape that the graph does not say is empty.
                Some(port) if !port.shape.is_empty() && port.shape.len() != axes.len() => {
                    return Err(Error::unsupported(format!("{head} needs {}, but the graph gives `{port}`", wanted())));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The roles, sorted.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.sessions.keys().map(String::as_str)
    }

    /// Runs a role for some of its outputs.
    pub fn run(&self, role: &str, inputs: Vec<(&str, Value)>, outputs: &[&str]) -> Result<Outputs> {
        self.session(role)?.run_with(inputs, Some(outputs), None)
    }
}

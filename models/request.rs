//! What an architecture is asked for.

use std::{borrow::Cow, sync::Arc};

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Caller, Graph},
    listed,
    weights::Tensors,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Architecture, Head, find, sentence::Module, sizes};

/// What graphs are made from, and which: those of a checkpoint, or of a model within one (`Request::inner`).
#[derive(Clone)]
pub struct Request<'a> {
    /// `config.json`, or what stands in it for a model within.
    pub config: Cow<'a, Value>,
    /// The checkpoint's tensors.
    pub tensors: Arc<Tensors>,
    /// The head to build.
    pub head: Head,
    /// The floating-point type to compute in.
    pub float: Dtype,
    /// What sentence-transformers puts on top of the hidden states; empty for other checkpoints.
    pub modules: Vec<Module>,
    /// Who runs the graphs.
    pub caller: Caller,
    /// Where the weights are: nothing, or the scope of a model within.
    pub(crate) scope: String,
    /// What its graph is called, or the first of them.
    pub(crate) role: &'static str,
    /// What a decoder reads.
    pub(crate) reads: Reads,
}

/// What a decoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Reads {
    /// `input_ids`
    #[default]
    Tokens,
    /// `inputs_embeds` of this width, among which others may stand than those of tokens. A graph `embed_tokens` makes those.
    Embeddings(usize),
}

impl<'a> Request<'a> {
    /// The graphs of a checkpoint with this head, in 32-bit floats, to be run here.
    pub fn new(config: &'a Value, tensors: Arc<Tensors>, head: Head) -> Self {
        Self {
            config: Cow::Borrowed(config),
            tensors,
            head,
            float: Dtype::F32,
            modules: Vec::new(),
            caller: Caller::Own,
            scope: String::new(),
            role: "model",
            reads: Reads::Tokens,
        }
    }

    /// With what sentence-transformers puts on top of the hidden states.
    #[must_use]
    pub fn with_modules(self, modules: Vec<Module>) -> Self {
        Self { modules, ..self }
    }

    /// For others to run.
    #[must_use]
    pub fn called_by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// The model that stands in `config.json` under this key, and its architecture: that of its own `model_type`, or of `usual` where it
    /// says none. How its weights are quantized may stand beside it.
    pub(crate) fn inner(&self, key: &str, usual: &str) -> Result<(Request<'a>, &'static Architecture)> {
        let inner = self.config.get(key).filter(|config| config.is_object());
        let mut config =
            inner.cloned().ok_or_else(|| Error::config(format!("config.json: {key}: the config of a model within is missing")))?;
        if let Some(fields) = config.as_object_mut() {
            for key in ["quantization_config", "tie_word_embeddings"] {
                if let Some(value) = self.config.get(key).filter(|value| !value.is_null()) {
                    fields.entry(key).or_insert_with(|| value.clone());
                }
            }
            fields.entry("model_type").or_insert_with(|| usual.into());
        }
        let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let architecture = find(model_type)
            .ok_or_else(|| Error::unsupported(format!("config.json: {key}.model_type: no architecture {model_type:?} is known here")))?;
        Ok((Request { config: Cow::Owned(config), modules: Vec::new(), ..self.clone() }, architecture))
    }

    /// The graphs of the text model within one that sees pictures as well.
    pub(crate) fn text_alone(&self, usual: &str) -> Result<Vec<Body>> {
        let (request, architecture) = self.inner("text_config", usual)?;
        (architecture.build)(&request)
    }

    #[allow(dead_code)] // what models made of several parts use
    /// The same with its weights in this scope of the checkpoint, within that of this request.
    #[must_use]
    pub(crate) fn within(self, scope: &str) -> Self {
        let scope = if self.scope.is_empty() { scope.to_owned() } else { format!("{}.{scope}", self.scope) };
        Self { scope, ..self }
    }

    /// The same with a graph of this name.
    #[must_use]
    pub(crate) fn called(self, role: &'static str) -> Self {
        Self { role, ..self }
    }

    /// The same, where the decoder reads embeddings of this width.
    #[must_use]
    pub(crate) fn reading_embeddings(self, width: usize) -> Self {
        Self { reads: Reads::Embeddings(width), ..self }
    }

    /// The same with another config: this one with its fields settled.
    #[must_use]
    pub(crate) fn with(&self, config: Value) -> Self {
        Self { config: Cow::Owned(config), modules: Vec::new(), ..self.clone() }
    }

    /// `config.json` as the architecture's own struct.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        read(&self.config)
    }

    /// As [`Request::config`], with these values for keys that are not there.
    pub fn config_over<T: DeserializeOwned>(&self, defaults: &Value) -> Result<T> {
        self.config_mapped_over(&[], defaults)
    }

    /// As [`Request::config`], with keys by their other names (`attribute_map` of Transformers, as `(other, own)`): what stands under
    /// the other name goes first.
    pub fn config_mapped<T: DeserializeOwned>(&self, attribute_map: &[(&str, &str)]) -> Result<T> {
        self.config_mapped_over(attribute_map, &Value::Null)
    }

    /// As [`Request::config_mapped`], with these values for keys that are not there.
    pub fn config_mapped_over<T: DeserializeOwned>(&self, attribute_map: &[(&str, &str)], defaults: &Value) -> Result<T> {
        let mut config = self.config.clone().into_owned();
        if let Some(fields) = config.as_object_mut() {
            for (other, own) in attribute_map {
                if let Some(value) = fields.remove(*other) {
                    fields.insert((*own).into(), value);
                }
            }
            for (key, value) in defaults.as_object().into_iter().flatten() {
                fields.entry(key.as_str()).or_insert_with(|| value.clone());
            }
        }
        read(&config)
    }

    /// An empty graph, and the checkpoint's weights for it.
    pub fn graph(&self) -> (Graph, Weights) {
        self.graph_of(self.role)
    }

    /// An empty graph of this role, and the checkpoint's weights for it.
    pub fn graph_of(&self, role: &str) -> (Graph, Weights) {
        let graph = Graph::new(role, self.float).called_by(self.caller);
        let weights = Weights::of(&graph, self.tensors.clone(), &self.config).pp(&self.scope);
        (graph, weights)
    }

    /// Finishes a graph: an error where tensors are missing, or where the base model has some that nothing used.
    ///
    /// A checkpoint may hold more than one head needs, but a base model with weights that the graph ignores is another model.
    pub fn finish(&self, graph: Graph, weights: &Weights, base: &Weights) -> Result<Body> {
        let built = graph.finish();
        let architecture = find(self.model_type());
        sizes::check(&self.config, &self.tensors, &self.scope, architecture.map_or(0, |known| known.rows_behind_words))?;
        weights.check().map_err(|e| e.at(format!("{} for {}", self.head, self.model_type())))?;
        let own_heads = architecture.map_or(&[][..], |known| known.own_heads);
        let unused: Vec<String> = base.unused().into_iter().filter(|key| !is_harmless(key, own_heads)).collect();
        if !unused.is_empty() {
            let names = listed(unused.iter().map(String::as_str));
            return Err(Error::tensor(format!(
                "{}: the checkpoint has tensors that this architecture does not know: {names}",
                self.model_type()
            )));
        }
        built
    }

    /// An error where the config says that the model is a decoder, which sees no later tokens, of a kind that is known as an encoder only.
    pub fn encoder_only(&self) -> Result<()> {
        if self.config.get("is_decoder").and_then(Value::as_bool) == Some(true) {
            let model_type = self.model_type();
            return Err(Error::unsupported(format!("config.json: is_decoder is true, but {model_type} is known as an encoder only")));
        }
        Ok(())
    }

    /// `model_type` of `config.json`.
    pub fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(Value::as_str).unwrap_or("model")
    }
}

fn read<T: DeserializeOwned>(config: &Value) -> Result<T> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let field = error.path().to_string();
        let message = error.into_inner();
        Error::config(if field == "." { format!("config.json: {message}") } else { format!("config.json: {field}: {message}") })
    })
}

/// Keys that checkpoints carry and no head here needs: buffers that are computed, and other heads, of which an architecture may have some
/// of its own.
fn is_harmless(key: &str, own_heads: &[&str]) -> bool {
    const BUFFERS: &[&str] =
        &["position_ids", "token_type_ids", "inv_freq", "num_batches_tracked", "attn.bias", "attention.bias", "causal_mask", "masked_bias"];
    const HEADS: &[&str] = &["pooler", "cls", "classifier", "qa_outputs", "lm_head"];
    BUFFERS.iter().any(|end| key.ends_with(end)) || key.split('.').any(|part| HEADS.contains(&part) || own_heads.contains(&part))
}

//! What the table of architectures holds, and what an architecture is asked for.

use std::{fmt, sync::Arc};

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Caller, Graph},
    listed,
    weights::Tensors,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{sentence::Module, sizes};

/// One architecture: its `model_type`, and how its graphs are made.
#[derive(Debug, Clone, Copy)]
pub struct Architecture {
    /// `model_type` of `config.json`.
    pub model_type: &'static str,
    /// The scope under which a checkpoint with a head keeps the base model (`base_model_prefix` of Transformers).
    pub base: &'static str,
    /// What it can be built as.
    pub heads: &'static [Head],
    /// Makes the graphs.
    pub build: fn(&Request) -> Result<Vec<Body>>,
}

impl Architecture {
    /// The head of a class name of `architectures`: what also sees pictures is here for its text alone, and goes on with it.
    pub fn head_of(&self, class: &str) -> Option<Head> {
        let head = Head::of_class(class)?;
        let writes_only = head == Head::Seq2SeqLm && !self.heads.contains(&head) && self.heads.contains(&Head::CausalLm);
        Some(if writes_only { Head::CausalLm } else { head })
    }
}

/// What a model computes on top of its base: the suffix of the class in `architectures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Head {
    /// Hidden states.
    Base,
    /// `…ForMaskedLM`
    MaskedLm,
    /// `…ForSequenceClassification`
    SequenceClassification,
    /// `…ForTokenClassification`
    TokenClassification,
    /// `…ForQuestionAnswering`
    QuestionAnswering,
    /// `…ForImageClassification`
    ImageClassification,
    /// `…ForCTC`
    Ctc,
    /// `…ForCausalLM`
    CausalLm,
    /// `…ForConditionalGeneration`
    Seq2SeqLm,
}

impl Head {
    /// Every head, with the ending of its class name in Transformers.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Base, "Model"),
        (Self::MaskedLm, "ForMaskedLM"),
        (Self::SequenceClassification, "ForSequenceClassification"),
        (Self::TokenClassification, "ForTokenClassification"),
        (Self::QuestionAnswering, "ForQuestionAnswering"),
        (Self::ImageClassification, "ForImageClassification"),
        (Self::Ctc, "ForCTC"),
        (Self::CausalLm, "ForCausalLM"),
        (Self::Seq2SeqLm, "ForConditionalGeneration"),
    ];

    /// What text encoders have.
    pub(crate) const ENCODER: &[Self] =
        &[Self::Base, Self::MaskedLm, Self::SequenceClassification, Self::TokenClassification, Self::QuestionAnswering];
    /// What decoders have that also judge whole texts.
    pub(crate) const DECODER: &[Self] = &[Self::CausalLm, Self::SequenceClassification, Self::TokenClassification, Self::QuestionAnswering];
    /// The same, but for answers to questions.
    pub(crate) const DECODER_WITH_LABELS: &[Self] = &[Self::CausalLm, Self::SequenceClassification, Self::TokenClassification];

    /// The ending of the class name, such as `ForMaskedLM`.
    pub fn suffix(self) -> &'static str {
        Self::ALL.iter().find(|(head, _)| *head == self).map_or("Model", |(_, suffix)| suffix)
    }

    /// The head of a class name of `architectures`.
    pub fn of_class(class: &str) -> Option<Self> {
        // XLNetForQuestionAnsweringSimple is the one that pipelines use.
        let class = class.strip_suffix("Simple").unwrap_or(class);
        // Marian, what T5 was called at first, and two models in one.
        if class.ends_with("MTModel") || ["T5WithLMHeadModel", "EncoderDecoderModel"].contains(&class) {
            return Some(Self::Seq2SeqLm);
        }
        // GPT-2 and others of its time.
        if class.ends_with("LMHeadModel") {
            return Some(Self::CausalLm);
        }
        Self::ALL.iter().find(|(_, suffix)| class.ends_with(suffix)).map(|(head, _)| *head)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix())
    }
}

/// What a graph is made from.
pub struct Request<'a> {
    /// `config.json`
    pub config: &'a Value,
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
}

impl Request<'_> {
    /// The same request for another config: of a model within, or of this one with its fields settled.
    pub(crate) fn with<'b>(&self, config: &'b Value) -> Request<'b> {
        let Self { head, float, caller, .. } = *self;
        Request { config, tensors: self.tensors.clone(), head, float, modules: Vec::new(), caller }
    }

    /// The graphs of the text model within one that sees pictures as well: `text_config` says what it is, and how its weights are
    /// quantized stands beside that.
    pub(crate) fn of_text(&self, build: impl FnOnce(&Request) -> Result<Vec<Body>>) -> Result<Vec<Body>> {
        let text = self.config.get("text_config").filter(|config| config.is_object());
        let mut config = text.cloned().ok_or_else(|| Error::config("config.json: text_config: the text model's own config is missing"))?;
        if let Some(fields) = config.as_object_mut() {
            for key in ["quantization_config", "tie_word_embeddings"] {
                if let Some(value) = self.config.get(key).filter(|value| !value.is_null()) {
                    fields.entry(key).or_insert_with(|| value.clone());
                }
            }
        }
        build(&self.with(&config))
    }

    /// `config.json` as the architecture's own struct.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        read(self.config)
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
        let mut config = self.config.clone();
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

    /// An empty graph of this role, and the checkpoint's weights for it.
    pub fn graph(&self, role: &str) -> (Graph, Weights) {
        let graph = Graph::new(role, self.float).called_by(self.caller);
        let weights = Weights::of(&graph, self.tensors.clone(), self.config);
        (graph, weights)
    }

    /// Finishes a graph: an error where tensors are missing, or where the base model has some that nothing used.
    ///
    /// A checkpoint may hold more than one head needs, but a base model with weights that the graph ignores is another model.
    pub fn finish(&self, graph: Graph, weights: &Weights, base: &Weights) -> Result<Body> {
        let built = graph.finish();
        sizes::check(self.config, &self.tensors)?;
        weights.check().map_err(|e| e.at(format!("{} for {}", self.head, self.model_type())))?;
        let unused: Vec<String> = base.unused().into_iter().filter(|key| !is_harmless(key)).collect();
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

/// Keys that checkpoints carry and no head here needs: buffers that are computed, and other heads.
fn is_harmless(key: &str) -> bool {
    const BUFFERS: &[&str] = &[
        "position_ids",
        "token_type_ids",
        "inv_freq",
        "num_batches_tracked",
        "attn.bias",
        "attention.bias",
        "causal_mask",
        "masked_bias",
        "masked_spec_embed",
    ];
    const HEADS: &[&str] = &[
        "pooler",
        "cls",
        "classifier",
        "qa_outputs",
        "lm_head",
        "vocab_transform",
        "vocab_projector",
        "pre_classifier",
        "predictions",
        "generator_predictions",
        "discriminator_predictions",
        "logits_proj",
    ];
    BUFFERS.iter().any(|end| key.ends_with(end)) || key.split('.').any(|part| HEADS.contains(&part))
}

//! What the table of architectures holds.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::Value;

use crate::{
    head::Head,
    parts::encoded::{Encode, Encoded},
    request::Request,
};

/// One architecture: its `model_type`, how its graphs are made, and what else is to be known of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Architecture {
    /// `model_type` of `config.json`.
    pub model_type: &'static str,
    /// What it can be built as; nothing for what is only a part of other models.
    pub heads: &'static [Head],
    /// Makes the graphs.
    pub build: fn(&Request) -> Result<Vec<Body>>,
    /// What it makes of what it reads, as a part of another model's graph.
    pub(crate) encode: Option<Encode>,
    /// Whether padding changes what it says about a text, because it sees its neighbours without regard to the attention mask. Texts of
    /// different lengths are not batched then.
    pub sees_padding: bool,
    /// Whether all tokens run once more when a text outgrows the original length of `longrope`; others go on with the keys that they have,
    /// as in Transformers.
    pub(crate) runs_anew: bool,
    /// How the decoder's tokens are made of what the encoder reads, where a call gives no others.
    pub moves_what_it_reads: Option<Moved>,
    /// What its config class says about generation where `config.json` says nothing.
    pub(crate) generation: &'static [(&'static str, i64)],
    /// Scopes within the base model that belong to heads of its own.
    pub(crate) own_heads: &'static [&'static str],
    /// The rows that its tables of words have behind those of `vocab_size`.
    pub(crate) rows_behind_words: usize,
}

/// How a decoder's tokens are made of what the encoder reads, where a call gives no others: those, but for the last, behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The token that answers start from.
    BehindStart,
    /// The last of them.
    BehindLast,
}

impl Architecture {
    /// An architecture that nothing else is to be known of.
    pub(crate) const fn new(model_type: &'static str, heads: &'static [Head], build: fn(&Request) -> Result<Vec<Body>>) -> Self {
        Self {
            model_type,
            heads,
            build,
            encode: None,
            sees_padding: false,
            runs_anew: false,
            moves_what_it_reads: None,
            generation: &[],
            own_heads: &[],
            rows_behind_words: 0,
        }
    }

    /// The same under another name.
    pub(crate) const fn named(self, model_type: &'static str) -> Self {
        Self { model_type, ..self }
    }

    pub(crate) const fn encode(self, encode: Encode) -> Self {
        Self { encode: Some(encode), ..self }
    }

    pub(crate) const fn sees_padding(self) -> Self {
        Self { sees_padding: true, ..self }
    }

    pub(crate) const fn runs_anew(self) -> Self {
        Self { runs_anew: true, ..self }
    }

    pub(crate) const fn moves_what_it_reads(self, moved: Moved) -> Self {
        Self { moves_what_it_reads: Some(moved), ..self }
    }

    pub(crate) const fn generation(self, generation: &'static [(&'static str, i64)]) -> Self {
        Self { generation, ..self }
    }

    pub(crate) const fn own_heads(self, own_heads: &'static [&'static str]) -> Self {
        Self { own_heads, ..self }
    }

    pub(crate) const fn rows_behind_words(self, rows_behind_words: usize) -> Self {
        Self { rows_behind_words, ..self }
    }

    /// What it makes of what it reads, with weights of another model's graph.
    pub(crate) fn encoded(&self, request: &Request, w: &Weights, values: &Tensor) -> Result<Encoded> {
        let encode =
            self.encode.ok_or_else(|| Error::unsupported(format!("{} is not known as a part of another model", self.model_type)))?;
        encode(request, w, values)
    }

    /// The head of a class name of `architectures`. One ending stands for several: what an architecture cannot be, it is not.
    pub fn head_of(&self, class: &str) -> Option<Head> {
        let head = Head::of_class(class)?;
        let others = [Head::ImageTextToText, Head::CausalLm].into_iter().filter(|_| head == Head::Seq2SeqLm && !self.heads.contains(&head));
        Some(others.into_iter().find(|other| self.heads.contains(other)).unwrap_or(head))
    }

    /// `config.json` with the tokens, and what else decides how to generate, that the architecture has by default.
    pub fn with_generation_defaults(&self, config: &Value) -> Value {
        let mut config = config.clone();
        if let Some(fields) = config.as_object_mut() {
            for (name, value) in self.generation {
                fields.entry(*name).or_insert_with(|| (*value).into());
            }
        }
        config
    }

    /// The length beyond which keys in the cache hold no longer, because other factors turn all positions then.
    pub fn anew_beyond(&self, config: &Value) -> Option<usize> {
        let length = config.get("original_max_position_embeddings").and_then(Value::as_u64).unwrap_or(4096);
        (self.runs_anew && crate::couples_rows(config)).then(|| usize::try_from(length).unwrap_or(usize::MAX))
    }
}

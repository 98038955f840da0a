//! RoBERTa (<https://arxiv.org/abs/1907.11692>): BERT with positions that count from the padding's id, and other heads.

use formers_converters::{
    Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{Activation, Mask, embedding, layer_norm},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("roberta", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) pad_token_id: i64,
    pub(crate) type_vocab_size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { pad_token_id: 1, type_vocab_size: 2 }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    model(request, "roberta", encoder)
}

/// BERT's layers on normalized embeddings.
pub(crate) fn encoder(cfg: &bert::Config, base: &Weights, sum: &Tensor, mask: &Mask) -> Tensor {
    bert::encoder(cfg, &base.pp("encoder"), normed(cfg, base, sum), mask)
}

/// The sum of the embeddings, normalized.
pub(crate) fn normed(cfg: &bert::Config, base: &Weights, sum: &Tensor) -> Tensor {
    layer_norm(&base.pp("embeddings.LayerNorm"), cfg.layer_norm_eps, sum)
}

/// The graph of a relative: by the scope below its head, and how that makes hidden states of the sum of the embeddings.
pub(crate) fn model(
    request: &Request,
    base: &str,
    encoder: impl Fn(&bert::Config, &Weights, &Tensor, &Mask) -> Tensor,
) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let cfg: bert::Config = request.config()?;
    let own: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base(base);
    let text = own.inputs(&graph);

    let sum = own.embeddings(&base.pp("embeddings"), &text);
    let hidden = encoder(&cfg, &base, &sum, &Mask::padding(&text.attention_mask));
    match request.head {
        Head::MaskedLm => {
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::lm_head(&w.pp("lm_head"), cfg.layer_norm_eps, cfg.tie_word_embeddings, &words, &hidden));
        }
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), Activation::Tanh, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

impl Config {
    /// A checkpoint with a single token type needs none told: its row belongs to every token.
    pub(crate) fn inputs(&self, graph: &Graph) -> inputs::Text {
        if self.type_vocab_size > 1 { inputs::Text::with_token_types(graph) } else { inputs::Text::new(graph) }
    }

    /// The sum of the embeddings, `(batch, sequence, width)`, before any norm.
    pub(crate) fn embeddings(&self, w: &Weights, text: &inputs::Text) -> Tensor {
        let words = embedding(&w.pp("word_embeddings"), &text.input_ids);
        let types = w.pp("token_type_embeddings");
        let types =
            if self.type_vocab_size > 1 { embedding(&types, &text.token_types()) } else { types.any("weight", 2).select_index(0, 0) };
        words + types + embedding(&w.pp("position_embeddings"), &text.positions_after(self.pad_token_id))
    }
}

//! DistilBERT (<https://arxiv.org/abs/1910.01108>): BERT with half the layers, no token types and no pooler.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, attention, embedding, layer_norm, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("distilbert", Head::ENCODER, build).own_heads(&["vocab_transform", "vocab_projector", "pre_classifier"]);

const EPSILON: f32 = 1e-12;

const ATTRIBUTE_MAP: &[(&str, &str)] = &[("hidden_size", "dim"), ("num_attention_heads", "n_heads"), ("num_hidden_layers", "n_layers")];

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    activation: Activation,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { dim: 768, n_layers: 6, n_heads: 12, activation: Activation::Gelu, tie_word_embeddings: true }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(ATTRIBUTE_MAP)?;
    let (graph, w) = request.graph();
    let base = w.base("distilbert");
    let text = inputs::Text::new(&graph);
    let mask = Mask::padding(&text.attention_mask);

    let x = embeddings(&base.pp("embeddings"), &text);
    let hidden = base.layers("transformer.layer", cfg.n_layers).fold(x, |x, w| layer(&cfg, &w, x, &mask));
    match request.head {
        Head::MaskedLm => {
            let h = cfg.activation.of(&linear(&w.pp("vocab_transform"), &hidden));
            let h = layer_norm(&w.pp("vocab_layer_norm"), EPSILON, &h);
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::decoder(&w, "vocab_projector", cfg.tie_word_embeddings, &words, &h));
        }
        Head::SequenceClassification => {
            let pooled = linear(&w.pp("pre_classifier"), &heads::first_token(&hidden)).relu();
            heads::logits(&graph, &w.pp("classifier"), &pooled);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn embeddings(w: &Weights, text: &inputs::Text) -> Tensor {
    let words = embedding(&w.pp("word_embeddings"), &text.input_ids);
    layer_norm(&w.pp("LayerNorm"), EPSILON, &(words + text.positions(&w.pp("position_embeddings"))))
}

fn layer(cfg: &Config, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    let a = self_attention(cfg, &w.pp("attention"), &x, mask);
    let x = layer_norm(&w.pp("sa_layer_norm"), EPSILON, &(a + x));
    let h = cfg.activation.of(&linear(&w.pp("ffn.lin1"), &x));
    layer_norm(&w.pp("output_layer_norm"), EPSILON, &(linear(&w.pp("ffn.lin2"), &h) + x))
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let (query, key, value) = (linear(&w.pp("q_lin"), x), linear(&w.pp("k_lin"), x), linear(&w.pp("v_lin"), x));
    let scale = attention::scale(cfg.dim / cfg.n_heads.max(1));
    linear(&w.pp("out_lin"), &attention(&query, &key, &value, cfg.n_heads, scale, mask))
}

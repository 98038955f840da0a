//! BERT (<https://arxiv.org/abs/1810.04805>): a bidirectional encoder with learned positions and norms after each residual sum.

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

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("bert", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) hidden_act: Activation,
    pub(crate) layer_norm_eps: f32,
    pub(crate) tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            tie_word_embeddings: true,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    model(request, "bert", |cfg, base, text| read(cfg, base, text, &sum(&base.pp("embeddings"), text)))
}

/// The graph of a relative: by the scope below its head, and how that makes hidden states of a text.
pub(crate) fn model(request: &Request, base: &str, read: impl Fn(&Config, &Weights, &inputs::Text) -> Tensor) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base(base);
    let text = inputs::Text::with_token_types(&graph);

    let hidden = read(&cfg, &base, &text);
    match request.head {
        Head::MaskedLm => graph.output("logits", &masked_lm(&cfg, &w.pp("cls.predictions"), &base, &hidden)),
        Head::SequenceClassification => {
            let pooled = heads::tanh_pooler(&base.pp("pooler.dense"), &hidden);
            heads::logits(&graph, &w.pp("classifier"), &pooled);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// The hidden states of a text, from the sum of its embeddings.
pub(crate) fn read(cfg: &Config, base: &Weights, text: &inputs::Text, sum: &Tensor) -> Tensor {
    let x = layer_norm(&base.pp("embeddings.LayerNorm"), cfg.layer_norm_eps, sum);
    encoder(cfg, &base.pp("encoder"), x, &Mask::padding(&text.attention_mask))
}

pub(crate) fn embeddings(epsilon: f32, w: &Weights, text: &inputs::Text) -> Tensor {
    layer_norm(&w.pp("LayerNorm"), epsilon, &sum(w, text))
}

/// Words, token types and positions.
pub(crate) fn sum(w: &Weights, text: &inputs::Text) -> Tensor {
    let words = embedding(&w.pp("word_embeddings"), &text.input_ids);
    let types = embedding(&w.pp("token_type_embeddings"), &text.token_types());
    words + types + text.positions(&w.pp("position_embeddings"))
}

pub(crate) fn encoder(cfg: &Config, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    w.layers("layer", cfg.num_hidden_layers).fold(x, |x, w| layer(cfg, &w, x, mask))
}

fn layer(cfg: &Config, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    let a = self_attention(cfg, &w.pp("attention.self"), &x, mask);
    let x = layer_norm(&w.pp("attention.output.LayerNorm"), cfg.layer_norm_eps, &(linear(&w.pp("attention.output.dense"), &a) + x));
    feed_forward(cfg, w, &x)
}

/// The layers of relatives that put norms, which have these names, before each part.
pub(crate) fn norm_first(cfg: &Config, w: &Weights, norms: [&str; 2], x: Tensor, mask: &Mask) -> Tensor {
    w.layers("layer", cfg.num_hidden_layers).fold(x, |x, w| {
        let [before_attention, before] = norms.map(|name| w.pp(name));
        let a = self_attention(cfg, &w.pp("attention.self"), &layer_norm(&before_attention, cfg.layer_norm_eps, &x), mask);
        let x = linear(&w.pp("attention.output.dense"), &a) + x;
        let h = linear(&w.pp("intermediate.dense"), &layer_norm(&before, cfg.layer_norm_eps, &x));
        linear(&w.pp("output.dense"), &cfg.hidden_act.of(&h)) + x
    })
}

pub(crate) fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let h = cfg.hidden_act.of(&linear(&w.pp("intermediate.dense"), x));
    layer_norm(&w.pp("output.LayerNorm"), cfg.layer_norm_eps, &(linear(&w.pp("output.dense"), &h) + x))
}

pub(crate) fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let (query, key, value) = (linear(&w.pp("query"), x), linear(&w.pp("key"), x), linear(&w.pp("value"), x));
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    attention(&query, &key, &value, cfg.num_attention_heads, scale, mask)
}

pub(crate) fn masked_lm(cfg: &Config, w: &Weights, base: &Weights, hidden: &Tensor) -> Tensor {
    let h = heads::transform(&w.pp("transform"), cfg.hidden_act, cfg.layer_norm_eps, hidden);
    heads::decoder(w, "decoder", cfg.tie_word_embeddings, &base.pp("embeddings.word_embeddings"), &h)
}

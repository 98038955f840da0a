//! EuroBERT (<https://arxiv.org/abs/2503.05500>): an encoder built of Llama's layers, whose attention sees both sides.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, RopeConfig, Rotary, attention, embedding, gated_mlp, linear, linear_if, rms_norm, rotary::Pairs},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("eurobert", &[Head::Base, Head::MaskedLm, Head::SequenceClassification, Head::TokenClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Activation,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    attention_bias: bool,
    mlp_bias: bool,
    classifier_pooling: ClassifierPooling,
    tie_word_embeddings: bool,
}

/// Where tokens become one vector: before the classifier, or after it.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ClassifierPooling {
    Bos,
    Mean,
    Late,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: Activation::Silu,
            max_position_embeddings: 8192,
            rms_norm_eps: 1e-5,
            attention_bias: false,
            mlp_bias: false,
            classifier_pooling: ClassifierPooling::Late,
            tie_word_embeddings: false,
        }
    }
}

impl Config {
    fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, rope): (Config, RopeConfig) = (request.config()?, request.config()?);
    let (graph, w) = request.graph();
    let base = w.base("model");
    let text = inputs::Text::new(&graph);

    let frequencies = rope.frequencies(cfg.head_dim(), 10_000.0, cfg.max_position_embeddings)?;
    let rotary = Rotary::for_length(&frequencies, &text.length(), Pairs::Halves);
    let mask = Mask::padding(&text.attention_mask);
    let x = embedding(&base.pp("embed_tokens"), &text.input_ids);
    let x = base.layers("layers", cfg.num_hidden_layers).fold(x, |x, w| layer(&cfg, &w, &x, &rotary, &mask));
    let hidden = rms_norm(&base.pp("norm"), cfg.rms_norm_eps, &x);
    match request.head {
        Head::MaskedLm => {
            let logits = heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), &hidden);
            graph.output("logits", &logits);
        }
        Head::SequenceClassification => {
            let dense = |x: &Tensor| linear(&w.pp("dense"), x).gelu();
            let classifier = |x: &Tensor| linear(&w.pp("classifier"), x);
            let logits = match cfg.classifier_pooling {
                ClassifierPooling::Bos => classifier(&dense(&heads::first_token(&hidden))),
                ClassifierPooling::Mean => classifier(&dense(&heads::mean(&hidden, &text.attention_mask))),
                ClassifierPooling::Late => heads::mean(&classifier(&dense(&hidden)), &text.attention_mask),
            };
            graph.output("logits", &logits);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, mask: &Mask) -> Tensor {
    let norm = |name: &str, x: &Tensor| rms_norm(&w.pp(name), cfg.rms_norm_eps, x);
    let x = x + self_attention(cfg, &w.pp("self_attn"), &norm("input_layernorm", x), rotary, mask);
    let h = gated_mlp(&w.pp("mlp"), cfg.hidden_act, &norm("post_attention_layernorm", &x), cfg.mlp_bias);
    x + h
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, mask: &Mask) -> Tensor {
    let heads = cfg.num_attention_heads;
    let groups = cfg.num_key_value_heads.unwrap_or(heads);
    let project = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.attention_bias);
    let query = rotary.of(&project("q_proj", x), heads);
    let key = attention::repeat_heads(&rotary.of(&project("k_proj", x), groups), groups, heads);
    let value = attention::repeat_heads(&project("v_proj", x), groups, heads);
    project("o_proj", &attention(&query, &key, &value, heads, attention::scale(cfg.head_dim()), mask))
}

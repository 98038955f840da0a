//! ModernBERT (<https://arxiv.org/abs/2412.13663>): rotary positions, norms before each block, gated feed-forward layers, and two of three
//! layers that see only their neighbourhood.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, RopeConfig, Rotary, attention, embedding, layer_norm_if, linear_if, rotary::Pairs},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("modernbert", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) hidden_activation: Activation,
    pub(crate) max_position_embeddings: usize,
    pub(crate) norm_eps: f32,
    pub(crate) norm_bias: bool,
    pub(crate) attention_bias: bool,
    pub(crate) mlp_bias: bool,
    pub(crate) layer_types: Option<Vec<LayerType>>,
    pub(crate) global_attn_every_n_layers: usize,
    pub(crate) local_attention: usize,
    pub(crate) global_rope_theta: f64,
    pub(crate) local_rope_theta: Option<f64>,
    pub(crate) classifier_pooling: ClassifierPooling,
    pub(crate) classifier_bias: bool,
    pub(crate) classifier_activation: Activation,
    pub(crate) tie_word_embeddings: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LayerType {
    FullAttention,
    SlidingAttention,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClassifierPooling {
    Cls,
    Mean,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_attention_heads: 12,
            num_hidden_layers: 22,
            hidden_activation: Activation::Gelu,
            max_position_embeddings: 8192,
            norm_eps: 1e-5,
            norm_bias: false,
            attention_bias: false,
            mlp_bias: false,
            layer_types: None,
            global_attn_every_n_layers: 3,
            local_attention: 128,
            global_rope_theta: 160_000.0,
            local_rope_theta: Some(10_000.0),
            classifier_pooling: ClassifierPooling::Cls,
            classifier_bias: false,
            classifier_activation: Activation::Gelu,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    pub(crate) fn layer_type(&self, layer: usize) -> Result<LayerType> {
        match &self.layer_types {
            Some(types) => {
                types.get(layer).copied().ok_or_else(|| Error::config(format!("config.json: layer_types says nothing about layer {layer}")))
            }
            None if self.global_attn_every_n_layers == 0 => Err(Error::config("config.json: global_attn_every_n_layers is 0")),
            None if layer.is_multiple_of(self.global_attn_every_n_layers) => Ok(LayerType::FullAttention),
            None => Ok(LayerType::SlidingAttention),
        }
    }

    pub(crate) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads.max(1)
    }

    pub(crate) fn norm(&self, w: &Weights, x: &Tensor) -> Tensor {
        layer_norm_if(w, self.norm_eps, x, self.norm_bias)
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("model");
    let text = inputs::Text::new(&graph);

    let hidden = encoder(&cfg, &request.config()?, &base, &text)?;
    match request.head {
        Head::MaskedLm => {
            let h = head(&cfg, &w.pp("head"), &hidden);
            let words = base.pp("embeddings.tok_embeddings");
            graph.output("logits", &heads::decoder(&w, "decoder", cfg.tie_word_embeddings, &words, &h));
        }
        Head::SequenceClassification => {
            let pooled = match cfg.classifier_pooling {
                ClassifierPooling::Cls => heads::first_token(&hidden),
                ClassifierPooling::Mean => heads::mean(&hidden, &text.attention_mask),
            };
            heads::logits(&graph, &w.pp("classifier"), &head(&cfg, &w.pp("head"), &pooled));
        }
        Head::TokenClassification => heads::logits(&graph, &w.pp("classifier"), &head(&cfg, &w.pp("head"), &hidden)),
        Head::QuestionAnswering => heads::spans(&graph, &w.pp("classifier"), &head(&cfg, &w.pp("head"), &hidden)),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// What the layers of one type share.
struct Attention {
    rotary: Rotary,
    mask: Mask,
}

fn encoder(cfg: &Config, rope: &RopeConfig, w: &Weights, text: &inputs::Text) -> Result<Tensor> {
    let length = text.length();
    let rotary = |layer_type: &str, theta| {
        let frequencies = rope.of_layer_type(layer_type).frequencies(cfg.head_size(), theta, cfg.max_position_embeddings)?;
        Result::Ok(Rotary::for_length(&frequencies, &length, Pairs::Halves))
    };
    let everywhere = Mask::padding(&text.attention_mask);
    let local = Attention {
        rotary: rotary("sliding_attention", cfg.local_rope_theta.unwrap_or(cfg.global_rope_theta))?,
        mask: everywhere.within(cfg.local_attention / 2, &length),
    };
    let global = Attention { rotary: rotary("full_attention", cfg.global_rope_theta)?, mask: everywhere };

    let mut x = cfg.norm(&w.pp("embeddings.norm"), &embedding(&w.pp("embeddings.tok_embeddings"), &text.input_ids));
    for (i, w) in w.layers("layers", cfg.num_hidden_layers).enumerate() {
        let attention = if cfg.layer_type(i)? == LayerType::SlidingAttention { &local } else { &global };
        // The norm of the embeddings stands in for that of the first layer.
        let h = if i == 0 { x.clone() } else { cfg.norm(&w.pp("attn_norm"), &x) };
        x = &x + self_attention(cfg, &w.pp("attn"), &h, attention);
        x = &x + mlp(cfg, &w.pp("mlp"), &cfg.norm(&w.pp("mlp_norm"), &x));
    }
    Ok(cfg.norm(&w.pp("final_norm"), &x))
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, shared: &Attention) -> Tensor {
    let heads = cfg.num_attention_heads;
    let qkv = linear_if(&w.pp("Wqkv"), x, cfg.attention_bias).chunk(-1, 3);
    let [query, key, value] = qkv.as_slice() else { return x.clone() };
    let (query, key) = (shared.rotary.of(query, heads), shared.rotary.of(key, heads));
    let a = attention(&query, &key, value, heads, attention::scale(cfg.head_size()), &shared.mask);
    linear_if(&w.pp("Wo"), &a, cfg.attention_bias)
}

/// The gated feed-forward part of a layer, of which one matrix gives both halves.
pub(crate) fn mlp(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let both = linear_if(&w.pp("Wi"), x, cfg.mlp_bias).chunk(-1, 2);
    let [x, gate] = both.as_slice() else { return x.clone() };
    linear_if(&w.pp("Wo"), &(cfg.hidden_activation.of(x) * gate), cfg.mlp_bias)
}

/// What stands before words and labels.
pub(crate) fn head(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    cfg.norm(&w.pp("norm"), &cfg.classifier_activation.of(&linear_if(&w.pp("dense"), x, cfg.classifier_bias)))
}

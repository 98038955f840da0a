//! GPT-BigCode (<https://arxiv.org/abs/2301.03988>): GPT-2 in which all heads may share one key and one value.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, attention::ungroup, cached_attention, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    gpt2::{USUAL_NAMES, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gpt_bigcode", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    activation_function: Activation,
    layer_norm_epsilon: f32,
    multi_query: bool,
    scale_attn_weights: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            activation_function: Activation::GeluTanh,
            layer_norm_epsilon: 1e-5,
            multi_query: true,
            scale_attn_weights: true,
            tie_word_embeddings: true,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    decoder(
        request,
        &Variant {
            layers: cfg.n_layer,
            activation: cfg.activation_function,
            epsilon: cfg.layer_norm_epsilon,
            tied: cfg.tie_word_embeddings,
            linear,
            attention: &|w, x, decoding, index| self_attention(&cfg, w, x, decoding, index),
        },
    )
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let size = cfg.n_embd / cfg.n_head.max(1);
    let groups = if cfg.multi_query { 1 } else { cfg.n_head };
    let queries = size * (cfg.n_head / groups.max(1));
    let [query, key, value] = ungroup(&linear(&w.pp("c_attn"), x), groups, [queries, size, size]);
    let mut how = CachedAttention::new(cfg.n_head, groups, size);
    if !cfg.scale_attn_weights {
        how.scale = 1.0;
    }
    linear(&w.pp("c_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

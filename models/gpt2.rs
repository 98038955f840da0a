//! GPT-2: a decoder with learned positions and norms before each part.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, attention::ungroup, cached_attention, embedding, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gpt2", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) n_embd: usize,
    pub(crate) n_layer: usize,
    n_head: usize,
    pub(crate) activation_function: Activation,
    pub(crate) layer_norm_epsilon: f32,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    pub(crate) tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            activation_function: Activation::GeluTanh,
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
        }
    }
}

/// The usual names of what the config of GPT-2 and some relatives calls otherwise.
pub(crate) const USUAL_NAMES: &[(&str, &str)] = &[
    ("hidden_size", "n_embd"),
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
    ("max_position_embeddings", "n_positions"),
];

/// What relatives do in another way, or say in another way in `config.json`.
pub(crate) struct Variant<'a> {
    pub(crate) layers: usize,
    pub(crate) activation: Activation,
    pub(crate) epsilon: f32,
    pub(crate) tied: bool,
    /// The linear layers of the feed-forward part.
    pub(crate) linear: fn(&Weights, &Tensor) -> Tensor,
    /// The attention of a layer, by its number.
    pub(crate) attention: &'a dyn Fn(&Weights, &Tensor, &Decoding, usize) -> Tensor,
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
            linear: conv1d,
            attention: &|w, x, decoding, index| self_attention(&cfg, w, x, decoding, index),
        },
    )
}

/// The graph of a relative.
pub(crate) fn decoder(request: &Request, variant: &Variant) -> Result<Vec<Body>> {
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = heads::decoding(request, &graph);

    let x = decoding.embedded(&base.pp("wte")) + embedding(&base.pp("wpe"), &decoding.positions);
    let x = base.layers("h", variant.layers).enumerate().fold(x, |x, (i, w)| layer(variant, &w, &x, &decoding, i));
    let norm = |x: &Tensor| layer_norm(&base.pp("ln_f"), variant.epsilon, x);
    heads::answer(request, &decoding, &w, &x, norm, |h| heads::decoder(&w, "lm_head", variant.tied, &base.pp("wte"), h));
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(variant: &Variant, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), variant.epsilon, x);
    let linear = |name: &str, x: &Tensor| (variant.linear)(&w.pp(name), x);
    let x = x + (variant.attention)(&w.pp("attn"), &norm("ln_1", x), decoding, index);
    let h = variant.activation.of(&linear("mlp.c_fc", &norm("ln_2", &x)));
    x + linear("mlp.c_proj", &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let [query, key, value] = ungroup(&conv1d(&w.pp("c_attn"), x), 1, [cfg.n_embd; 3]);
    let how = attention(cfg, index);
    conv1d(&w.pp("c_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

/// How layer `index` attends.
pub(crate) fn attention(cfg: &Config, index: usize) -> CachedAttention {
    let mut how = CachedAttention::new(cfg.n_head, cfg.n_head, cfg.n_embd / cfg.n_head.max(1));
    if !cfg.scale_attn_weights {
        how.scale = 1.0;
    }
    if cfg.scale_attn_by_inverse_layer_idx {
        how.scale /= (index + 1) as f32;
    }
    how
}

/// `x W + b` with `weight` `[in, out]`, as the first models had it; quantized, it is the other way round.
pub(crate) fn conv1d(w: &Weights, x: &Tensor) -> Tensor {
    if w.is_packed() {
        return linear(w, x);
    }
    let weight = w.any("weight", 2);
    x.matmul(&weight) + w.get("bias", &[weight.fixed(1)])
}

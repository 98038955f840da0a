//! Persimmon (<https://www.adept.ai/blog/persimmon-8b>): a decoder with norms by mean and variance, also on the heads of queries and keys, of
//! which positions turn a part.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{attention::ungroup, linear},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Layers, Variant, decoder},
    parts::blocks::{Mlp, Norm},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("persimmon", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
    qk_layernorm: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_attention_heads": 64, "hidden_act": "relu2", "max_position_embeddings": 16_384, "layer_norm_eps": 1e-5, "qk_layernorm": true,
        "partial_rotary_factor": 0.5,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let norm = Norm::Layer { epsilon: own.layer_norm_eps, bias: true };
    let attention = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let (w, size) = (w.pp("self_attn"), cfg.head_dim());
        let [query, key, value] = ungroup(&linear(&w.pp("query_key_value"), x), cfg.num_attention_heads, [size; 3]);
        let normed = |name: &str, x: Tensor| if own.qk_layernorm { norm.of_heads(&w.pp(name), size, &x) } else { x };
        let parts = [normed("q_layernorm", query), normed("k_layernorm", key), value];
        Some(linear(&w.pp("dense"), &layers.attend(&w, parts, layer)))
    };
    let variant = Variant {
        norm,
        last_norm: "final_layernorm",
        mlp: Mlp::Plain { names: ["dense_h_to_4h", "dense_4h_to_h"], bias: true },
        mixer: &attention,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

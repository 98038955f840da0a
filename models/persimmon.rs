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
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, LayerKind, Layers, QkNorm, Variant, decoder},
    },
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
        let projected = ungroup(&linear(&w.pp("query_key_value"), x), cfg.num_attention_heads, [size; 3]);
        layers.output(&w, &layers.attend(&w, projected, layer))
    };
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind::OWN),
        norm,
        last_norm: "final_layernorm",
        mlp: Mlp::Plain { names: ["dense_h_to_4h", "dense_4h_to_h"], bias: true },
        mixer: &attention,
        qk_norm: own.qk_layernorm.then(|| QkNorm::of_heads(norm).named(["q_layernorm", "k_layernorm"])),
        output: "dense",
        output_bias: true,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

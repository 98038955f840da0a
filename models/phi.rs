//! Phi (<https://arxiv.org/abs/2306.11644>): Llama with attention and a feed-forward part without a gate side by side, layer norms and biases;
//! positions turn a part of each head.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("phi", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
    qk_layernorm: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"hidden_act": "gelu_new", "partial_rotary_factor": 0.5, "layer_norm_eps": 1e-5, "qk_layernorm": false});
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let norm = Norm::Layer { epsilon: own.layer_norm_eps, bias: true };
    let variant = Variant {
        norm,
        order: Order::SideBySide { before: "input_layernorm" },
        last_norm: "final_layernorm",
        mlp: Mlp::Plain { names: ["fc1", "fc2"], bias: true },
        qkv_bias: true,
        qk_norm: own.qk_layernorm.then(|| QkNorm::of_heads(norm).named(["q_layernorm", "k_layernorm"])),
        output: "dense",
        output_bias: true,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

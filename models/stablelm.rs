//! StableLM (<https://arxiv.org/abs/2402.17834>): Llama with layer norms, of which heads may have their own; positions turn a part of each
//! head, and attention and feed-forward part may be side by side.

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

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("stablelm", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
    use_qkv_bias: bool,
    qk_layernorm: bool,
    use_parallel_residual: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 32, "max_position_embeddings": 4096, "partial_rotary_factor": 0.25,
        "layer_norm_eps": 1e-5, "use_qkv_bias": false, "qk_layernorm": false, "use_parallel_residual": false,
    });
    let (mut cfg, own): (Config, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    cfg.head_dim = None;
    let variant = Variant {
        norm: Norm::Layer { epsilon: own.layer_norm_eps, bias: true },
        order: if own.use_parallel_residual { Order::SideBySide { before: "input_layernorm" } } else { Order::BEFORE },
        mlp: Mlp::Gated { bias: false },
        qkv_bias: own.use_qkv_bias,
        output_bias: false,
        qk_norm: own.qk_layernorm.then(|| QkNorm::of_each_head(own.layer_norm_eps).named(["q_layernorm", "k_layernorm"])),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

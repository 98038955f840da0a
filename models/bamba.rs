//! Bamba (<https://huggingface.co/blog/bamba>): a decoder of which most layers keep states as Mamba 2 does, and some attend.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    mamba2::Mamba,
    parts::{
        blocks::Order,
        decoder::{Config, LayerKind, Layers, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("bamba", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    attn_layer_indices: Option<Vec<usize>>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults =
        json!({"num_key_value_heads": 8, "max_position_embeddings": 262_144, "rms_norm_eps": 1e-5, "partial_rotary_factor": 0.5});
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    let mamba = request.config::<Mamba>()?.mixer(cfg.hidden_size, cfg.hidden_act, cfg.rms_norm_eps);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| mamba.of(&w.pp("mamba"), &layers.states, x, layer);
    let attends = |layer: usize| own.attn_layer_indices.as_ref().is_some_and(|layers| layers.contains(&layer));
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind::attending(attends(layer))),
        order: Order::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("pre_ff_layernorm"), None) },
        last_norm: "final_layernorm",
        mixer: &mixer,
        feed_forward: "feed_forward",
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

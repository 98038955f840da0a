//! Command R7B and A of Cohere: Command R in which three of four layers have a window, and only those know positions.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, LayerKind, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("cohere2", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
    logit_scale: f32,
    sliding_window_pattern: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "max_position_embeddings": 8192, "tie_word_embeddings": true, "sliding_window": 4096, "sliding_window_pattern": 4,
        "layer_norm_eps": 1e-5, "logit_scale": 0.0625,
    });
    let (mut cfg, own): (Config, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    cfg.head_dim = None;
    let slides = |layer: usize| (layer + 1).checked_rem(own.sliding_window_pattern).is_some_and(|rest| rest > 0);
    let kind = |layer: usize| {
        let window = cfg.window(layer, slides);
        LayerKind { window, rotary: window.map(|_| 0), ..LayerKind::USUAL }
    };
    let variant = Variant {
        layers: cfg.layers(kind),
        norm: Norm::Layer { epsilon: own.layer_norm_eps, bias: false },
        order: Order::SideBySide { before: "input_layernorm" },
        mlp: Mlp::Gated { bias: false },
        pairs: Pairs::Neighbours,
        logit_scale: own.logit_scale,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

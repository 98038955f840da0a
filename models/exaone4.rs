//! EXAONE 4.0 (<https://arxiv.org/abs/2507.11407>): Llama with norms after each part and on the heads of queries and keys. Where some layers
//! have a window, only they know positions.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    deepseek_v3::Chosen,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("exaone4", Head::DECODER, build);

#[derive(Deserialize)]
struct Own {
    sliding_window_pattern: Value,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_key_value_heads": 32, "rms_norm_eps": 1e-5, "sliding_window": 4096, "sliding_window_pattern": 4});
    layered(request, &defaults, Order::AFTER, None)
}

/// The graph of a model of this kind: with what it takes for fields that are not there, where its norms are, and how layers choose among
/// experts, if some have any.
pub(crate) fn layered(request: &Request, defaults: &Value, order: Order, chosen: Option<&Chosen>) -> Result<Vec<Body>> {
    let (cfg, own): (_, Own) = (Config::of(request, defaults)?, request.config_over(defaults)?);
    let pattern = match own.sliding_window_pattern.as_u64() {
        Some(pattern) if pattern > 0 => pattern as usize,
        _ if cfg.layer_types.is_some() || cfg.sliding_window.is_none() => 1,
        _ => {
            let pattern = &own.sliding_window_pattern;
            return Err(Error::unsupported(format!("config.json: sliding_window_pattern is {pattern}, which needs layer_types beside it")));
        }
    };
    let kind = |layer: usize| {
        let window = cfg.window(layer, |layer| (layer + 1) % pattern > 0);
        let rotary = (cfg.sliding_window.is_none() || window.is_some()).then_some(0);
        LayerKind { window, rotary, mixture: chosen.is_some_and(|chosen| !chosen.is_dense(layer)), ..LayerKind::USUAL }
    };
    let mixture = |w: &Weights, x: &Tensor, _: usize| chosen.map_or_else(|| x.clone(), |chosen| chosen.mixture(&cfg, w, x));
    let variant = Variant {
        layers: cfg.layers(kind),
        order,
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        qkv_bias: false,
        output_bias: false,
        qk_norm: Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

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
    llama::{Config, Variant, decoder},
    parts::blocks::{Mlp, Norm, Order},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("exaone4", Head::DECODER, build);

#[derive(Deserialize)]
struct Own {
    sliding_window_pattern: Value,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_key_value_heads": 32, "rms_norm_eps": 1e-5, "sliding_window": 4096, "sliding_window_pattern": 4});
    layered(request, &defaults, Order::AFTER, |_, _, _, _| None)
}

/// The graph of a model of this kind: with what it takes for fields that are not there, where its norms are, and what some layers have in
/// place of a feed-forward part.
pub(crate) fn layered(
    request: &Request,
    defaults: &Value,
    order: Order,
    mixture: impl Fn(&Config, &Weights, &Tensor, usize) -> Option<Tensor>,
) -> Result<Vec<Body>> {
    let (cfg, own): (_, Own) = (Config::of(request, defaults)?, request.config_over(defaults)?);
    let pattern = match own.sliding_window_pattern.as_u64() {
        Some(pattern) if pattern > 0 => pattern as usize,
        _ if cfg.layer_types.is_some() || cfg.sliding_window.is_none() => 1,
        _ => {
            let pattern = &own.sliding_window_pattern;
            return Err(Error::unsupported(format!("config.json: sliding_window_pattern is {pattern}, which needs layer_types beside it")));
        }
    };
    let window = |layer| cfg.sliding_window.filter(|_| cfg.slides(layer, |layer| (layer + 1) % pattern > 0));
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of_heads(&w.pp(format!("{part}_norm")), cfg.head_dim(), x),
    };
    let variant = Variant {
        order,
        mlp: Mlp::Gated { bias: false },
        mixture: &|w, x, layer| mixture(&cfg, w, x, layer),
        qkv_bias: false,
        output_bias: false,
        projected: &projected,
        window: &window,
        turns: &|layer| (cfg.sliding_window.is_none() || window(layer).is_some()).then_some(0),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

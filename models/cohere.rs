//! Command R of Cohere: Llama with attention and feed-forward part side by side, layer norms without bias, neighbouring components
//! that turn together, and scaled logits.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::rotary::Pairs,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::{Mlp, Norm, Order, by_head, standardized},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("cohere", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
    logit_scale: f32,
    use_qk_norm: Option<bool>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "max_position_embeddings": 8192, "tie_word_embeddings": true, "rope_theta": 500_000.0,
        "layer_norm_eps": 1e-5, "logit_scale": 0.0625, "use_qk_norm": false,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "q" | "k" if own.use_qk_norm == Some(true) => head_norms(&w.pp(format!("{part}_norm")), own.layer_norm_eps, cfg.head_dim(), x),
        _ => x.clone(),
    };
    let variant = Variant {
        norm: Norm::Layer { epsilon: own.layer_norm_eps, bias: false },
        order: Order::SideBySide { before: "input_layernorm" },
        mlp: Mlp::Gated { bias: false },
        projected: &projected,
        pairs: Pairs::Neighbours,
        logit_scale: own.logit_scale,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

/// Layer normalization of heads, each with its own row of `weight`.
fn head_norms(w: &Weights, epsilon: f32, size: usize, x: &Tensor) -> Tensor {
    by_head(x, size, |x| standardized(x, epsilon) * w.get("weight", &[x.fixed(2), size]))
}

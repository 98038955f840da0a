//! Command R of Cohere: Llama with attention and feed-forward part side by side, layer norms without bias, neighbouring components
//! that turn together, and scaled logits.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, QkNorm, Variant, decoder},
    },
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
    let variant = Variant {
        norm: Norm::Layer { epsilon: own.layer_norm_eps, bias: false },
        order: Order::SideBySide { before: "input_layernorm" },
        mlp: Mlp::Gated { bias: false },
        qk_norm: (own.use_qk_norm == Some(true)).then(|| QkNorm::of_each_head(own.layer_norm_eps)),
        pairs: Pairs::Neighbours,
        logit_scale: own.logit_scale,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

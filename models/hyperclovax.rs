//! HyperCLOVA X (<https://arxiv.org/abs/2404.01954>): Granite with a norm after each part as well.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Order,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("hyperclovax", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    embedding_multiplier: f32,
    attention_multiplier: Option<f32>,
    residual_multiplier: f32,
    logits_scaling: f32,
    use_post_norm: bool,
}

impl Default for Own {
    fn default() -> Self {
        Self { embedding_multiplier: 1.0, attention_multiplier: None, residual_multiplier: 1.0, logits_scaling: 1.0, use_post_norm: true }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, own): (_, Own) = (Config::of(request, &json!({}))?, request.config()?);
    let around = Order::InTurn {
        attention: (Some("input_layernorm"), Some("post_norm1")),
        mlp: (Some("post_attention_layernorm"), Some("post_norm2")),
    };
    let variant = Variant {
        order: if own.use_post_norm { around } else { Order::BEFORE },
        scale: own.attention_multiplier,
        embedding_scale: own.embedding_multiplier,
        residual_scale: own.residual_multiplier,
        // Granite divides by it.
        logit_scale: own.logits_scaling,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

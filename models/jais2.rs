//! Jais 2 (<https://huggingface.co/inceptionai/Jais-2-8B-Chat>): Llama with norms by mean and variance, and plain feed-forward layers.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("jais2", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    layer_norm_eps: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_attention_heads": 26, "hidden_act": "relu2", "max_position_embeddings": 8192, "attention_bias": true, "mlp_bias": true,
        "layer_norm_eps": 1e-5,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let variant = Variant {
        norm: Norm::Layer { epsilon: own.layer_norm_eps, bias: true },
        mlp: Mlp::Plain { names: ["up_proj", "down_proj"], bias: cfg.mlp_bias },
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

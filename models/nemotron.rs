//! Nemotron (<https://arxiv.org/abs/2402.16819>): Llama with layer norms that multiply by `1 + weight`, and a feed-forward part without a
//! gate whose activation is squared; positions turn a part of each head.

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

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("nemotron", Head::DECODER, build);

#[derive(Deserialize)]
struct Own {
    norm_eps: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"hidden_act": "relu2", "max_position_embeddings": 4096, "partial_rotary_factor": 0.5, "norm_eps": 1e-5});
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let variant = Variant {
        norm: Norm::LayerPlusOne(own.norm_eps),
        mlp: Mlp::Plain { names: ["up_proj", "down_proj"], bias: cfg.mlp_bias },
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

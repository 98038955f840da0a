//! Seed-OSS: Llama with a bias on queries, keys and values, and one of its own for what attention gives.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("seed_oss", Head::DECODER, build);

#[derive(Deserialize)]
struct Own {
    attention_out_bias: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 524_288, "attention_bias": true, "attention_out_bias": false,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    decoder(request, &cfg, &Variant { output_bias: own.attention_out_bias, ..Variant::new(&cfg)? })
}

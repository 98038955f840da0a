//! ERNIE 4.5: Llama in which neighbouring components turn together, and one field says whether there are biases.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde::Deserialize;
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::Mlp,
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "ernie4_5", base: "model", heads: &[Head::CausalLm], build };

#[derive(Deserialize)]
struct Own {
    use_bias: Option<bool>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "rope_theta": 500_000.0,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    let bias = own.use_bias == Some(true);
    let variant = Variant { mlp: Mlp::Gated { bias }, qkv_bias: bias, output_bias: bias, pairs: Pairs::Neighbours, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

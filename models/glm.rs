//! GLM-4 (<https://arxiv.org/abs/2406.12793>): Llama in which neighbouring components turn together, in a part of each head; gate and up are
//! one matrix.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("glm", Head::DECODER_WITH_LABELS, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &defaults())?;
    decoder(request, &cfg, &variant(&cfg)?)
}

/// What GLM and its successors take for fields that are not there.
pub(crate) fn defaults() -> Value {
    json!({
        "num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1.5625e-7, "attention_bias": true,
        "partial_rotary_factor": 0.5,
    })
}

/// What GLM and its successors have in common.
pub(crate) fn variant(cfg: &Config) -> Result<Variant<'static>> {
    Ok(Variant { mlp: Mlp::Fused, output_bias: false, pairs: Pairs::Neighbours, ..Variant::new(cfg)? })
}

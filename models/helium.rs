//! Helium of Kyutai: Llama in which neighbouring components turn together.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("helium", Head::DECODER_WITH_LABELS, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 20, "head_dim": 128, "max_position_embeddings": 4096, "rms_norm_eps": 1e-8, "rope_theta": 100_000.0,
    });
    let cfg = Config::of(request, &defaults)?;
    decoder(request, &cfg, &Variant { output_bias: false, pairs: Pairs::Neighbours, ..Variant::new(&cfg)? })
}

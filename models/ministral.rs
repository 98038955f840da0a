//! Ministral: Mistral in which some layers have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ministral", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"num_key_value_heads": 8, "max_position_embeddings": 131_072, "sliding_window": 4096}))?;
    let variant = Variant {
        layers: cfg.windowed(|_| true),
        mlp: Mlp::Gated { bias: false },
        qkv_bias: false,
        output_bias: false,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

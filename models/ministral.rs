//! Ministral: Mistral in which some layers have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::Mlp,
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "ministral", base: "model", heads: Head::DECODER, build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"num_key_value_heads": 8, "max_position_embeddings": 131_072, "sliding_window": 4096}))?;
    let variant = Variant {
        mlp: Mlp::Gated { bias: false },
        qkv_bias: false,
        output_bias: false,
        window: &|layer| cfg.sliding_window.filter(|_| cfg.slides(layer, |_| true)),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

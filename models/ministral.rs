//! Ministral: Mistral in which some layers have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::Mlp,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ministral", Head::DECODER, build);

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

//! Qwen2 (<https://arxiv.org/abs/2407.10671>): Llama with a bias on queries, keys and values; some layers may have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, LayerKind, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen2", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let layers = cfg.layers(|layer| LayerKind { window: cfg.qwen_window(layer), ..LayerKind::USUAL });
    decoder(request, &cfg, &Variant { layers, qkv_bias: true, output_bias: false, ..Variant::new(&cfg)? })
}

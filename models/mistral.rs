//! Mistral (<https://arxiv.org/abs/2310.06825>): Llama in which every layer may see no further back than a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, LayerKind, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mistral", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let layers = cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::USUAL });
    decoder(request, &cfg, &Variant { layers, ..Variant::new(&cfg)? })
}

//! Mistral (<https://arxiv.org/abs/2310.06825>): Llama in which every layer may see no further back than a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mistral", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    decoder(request, &cfg, &Variant { window: &|_| cfg.sliding_window, ..Variant::new(&cfg)? })
}

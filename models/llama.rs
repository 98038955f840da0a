//! Llama (<https://arxiv.org/abs/2302.13971>): a decoder with norms before each part, rotary positions, gated feed-forward
//! layers, and keys and values that several heads share.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("llama", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    decoder(request, &cfg, &Variant::new(&cfg)?)
}

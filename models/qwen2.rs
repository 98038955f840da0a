//! Qwen2 (<https://arxiv.org/abs/2407.10671>): Llama with a bias on queries, keys and values; some layers may have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen2", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let window = |layer| cfg.window_of(layer);
    decoder(request, &cfg, &Variant { qkv_bias: true, output_bias: false, window: &window, ..Variant::new(&cfg)? })
}

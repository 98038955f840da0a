//! Qwen3 (<https://arxiv.org/abs/2505.09388>): Llama with norms on the heads of queries and keys; some layers may have a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Norm,
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let layers = cfg.layers(|layer| LayerKind { window: cfg.qwen_window(layer), ..LayerKind::USUAL });
    let qk_norm = Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps)));
    decoder(request, &cfg, &Variant { layers, qk_norm, ..Variant::new(&cfg)? })
}

//! Qwen3 (<https://arxiv.org/abs/2505.09388>): Llama with norms on the heads of queries and keys; some layers may have a window.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::Norm,
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "qwen3", base: "model", heads: Head::DECODER, build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of_heads(&w.pp(format!("{part}_norm")), cfg.head_dim(), x),
    };
    decoder(request, &cfg, &Variant { projected: &projected, window: &|layer| cfg.window_of(layer), ..Variant::new(&cfg)? })
}

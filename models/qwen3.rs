//! Qwen3 (<https://arxiv.org/abs/2505.09388>): Llama with norms on the heads of queries and keys; some layers may have a window.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::Norm,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of_heads(&w.pp(format!("{part}_norm")), cfg.head_dim(), x),
    };
    decoder(request, &cfg, &Variant { projected: &projected, window: &|layer| cfg.window_of(layer), ..Variant::new(&cfg)? })
}

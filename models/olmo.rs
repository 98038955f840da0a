//! OLMo (<https://arxiv.org/abs/2402.00838>): Llama with norms that have no weights; queries, keys and values may be clipped.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::{Mlp, Norm},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    clip_qkv: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, own): (_, Own) = (Config::of(request, &json!({}))?, request.config()?);
    let projected = |_: &Weights, _: &str, x: &Tensor| own.clip_qkv.map_or_else(|| x.clone(), |limit| x.clip(-limit, limit));
    let variant = Variant { norm: Norm::Standard(1e-5), mlp: Mlp::Gated { bias: false }, projected: &projected, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

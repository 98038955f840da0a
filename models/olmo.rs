//! OLMo (<https://arxiv.org/abs/2402.00838>): Llama with norms that have no weights; queries, keys and values may be clipped.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::{Mlp, Norm},
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "olmo", base: "model", heads: &[Head::CausalLm, Head::SequenceClassification], build };

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

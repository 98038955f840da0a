//! OLMo (<https://arxiv.org/abs/2402.00838>): Llama with norms that have no weights; queries, keys and values may be clipped.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    clip_qkv: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (cfg, own): (_, Own) = (Config::of(request, &json!({}))?, request.config()?);
    let variant = Variant { norm: Norm::Standard(1e-5), mlp: Mlp::Gated { bias: false }, clip: own.clip_qkv, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

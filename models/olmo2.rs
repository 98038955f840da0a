//! OLMo 2 (<https://arxiv.org/abs/2501.00656>): Llama with norms after each part, and on queries and keys, all heads together.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo2", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    decoder(request, &cfg, &variant(&cfg)?)
}

/// What OLMo 2 and its successors have in common.
pub(crate) fn variant(cfg: &Config) -> Result<Variant<'static>> {
    let qk_norm = Some(QkNorm::of_all(Norm::Rms(cfg.rms_norm_eps)));
    Ok(Variant { order: Order::AFTER, mlp: Mlp::Gated { bias: false }, qk_norm, ..Variant::new(cfg)? })
}

//! HunYuan's dense models: Llama with norms on the heads of queries and keys, behind the rotation.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("hunyuan_v1_dense", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    decoder(request, &cfg, &Variant { mlp: Mlp::Gated { bias: false }, qk_norm: Some(qk_norm(&cfg)), ..Variant::new(&cfg)? })
}

/// Norms on queries and keys that positions have turned.
pub(crate) fn qk_norm(cfg: &Config) -> QkNorm {
    QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps)).named(["query_layernorm", "key_layernorm"]).behind_positions()
}

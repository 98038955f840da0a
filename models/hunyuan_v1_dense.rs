//! HunYuan's dense models: Llama with norms on the heads of queries and keys, behind the rotation.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::{Mlp, Norm},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("hunyuan_v1_dense", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    let turned = normed(&cfg);
    decoder(request, &cfg, &Variant { mlp: Mlp::Gated { bias: false }, turned: &turned, ..Variant::new(&cfg)? })
}

/// Norms on queries and keys that positions have turned.
pub(crate) fn normed(cfg: &Config) -> impl Fn(&Weights, &str, &Tensor, &Tensor) -> Tensor {
    let (norm, size) = (Norm::Rms(cfg.rms_norm_eps), cfg.head_dim());
    move |w, part, x, _| norm.of_heads(&w.pp(if part == "q" { "query_layernorm" } else { "key_layernorm" }), size, x)
}

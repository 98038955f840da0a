//! OLMo 2 (<https://arxiv.org/abs/2501.00656>): Llama with norms after each part, and on queries and keys, all heads together.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::{Mlp, Norm, Order},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo2", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    let projected = normed(&cfg);
    decoder(request, &cfg, &Variant { projected: &projected, ..variant(&cfg)? })
}

/// What OLMo 2 and its successor have in common, beside the norms on queries and keys.
pub(crate) fn variant(cfg: &Config) -> Result<Variant<'static>> {
    Ok(Variant { order: Order::AFTER, mlp: Mlp::Gated { bias: false }, ..Variant::new(cfg)? })
}

/// Norms on queries and keys.
pub(crate) fn normed(cfg: &Config) -> impl Fn(&Weights, &str, &Tensor) -> Tensor {
    let norm = Norm::Rms(cfg.rms_norm_eps);
    move |w, part, x| match part {
        "v" => x.clone(),
        _ => norm.of(&w.pp(format!("{part}_norm")), x),
    }
}

//! OLMo 2 (<https://arxiv.org/abs/2501.00656>): Llama with norms after each part, and on queries and keys, all heads together.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::{Mlp, Norm, Order},
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "olmo2", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of(&w.pp(format!("{part}_norm")), x),
    };
    let variant = Variant { order: Order::AFTER, mlp: Mlp::Gated { bias: false }, projected: &projected, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

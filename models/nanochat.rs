//! nanochat (<https://github.com/karpathy/nanochat>): Llama with norms that have no weights, also on what positions have turned, which they
//! do the other way round.

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

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("nanochat", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    final_logit_softcapping: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 6, "hidden_act": "relu2",
        "final_logit_softcapping": 15.0,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let norm = Norm::RmsAlone(cfg.rms_norm_eps);
    let mut frequencies = cfg.frequencies(&cfg.rope)?;
    frequencies.inverse.iter_mut().for_each(|frequency| *frequency = -*frequency);
    let turned = |w: &Weights, _: &str, x: &Tensor, _: &Tensor| norm.of_heads(w, cfg.head_dim(), x);
    let embedded = |w: &Weights, x: &Tensor| norm.of(w, x);
    let variant = Variant {
        norm,
        embedded: &embedded,
        mlp: Mlp::Plain { names: ["fc1", "fc2"], bias: false },
        frequencies: vec![frequencies],
        turned: &turned,
        logit_softcap: own.final_logit_softcapping,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

//! nanochat (<https://github.com/karpathy/nanochat>): Llama with norms that have no weights, also on what positions have turned, which they
//! do the other way round.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, QkNorm, Variant, decoder_of},
    },
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
    let variant = Variant {
        norm,
        mlp: Mlp::Plain { names: ["fc1", "fc2"], bias: false },
        frequencies: vec![frequencies],
        qk_norm: Some(QkNorm::of_heads(norm).behind_positions()),
        logit_softcap: own.final_logit_softcapping,
        ..Variant::new(&cfg)?
    };
    decoder_of(request, &cfg, &variant, |base, words| norm.of(base, &words))
}

//! Granite (<https://arxiv.org/abs/2405.04324>): Llama with scaled embeddings, scores, residuals and logits.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("granite", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    embedding_multiplier: f32,
    attention_multiplier: f32,
    residual_multiplier: f32,
    logits_scaling: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &defaults())?;
    decoder(request, &cfg, &variant(request, &cfg, &defaults())?)
}

/// What relatives of Granite take for fields that are not there.
pub(crate) fn defaults() -> Value {
    json!({"embedding_multiplier": 1.0, "attention_multiplier": 1.0, "residual_multiplier": 1.0, "logits_scaling": 1.0})
}

/// What relatives of Granite have in common.
pub(crate) fn variant<'a>(request: &Request, cfg: &Config, defaults: &Value) -> Result<Variant<'a>> {
    let own: Own = request.config_over(defaults)?;
    Ok(Variant {
        scale: Some(own.attention_multiplier),
        embedding_scale: own.embedding_multiplier,
        residual_scale: own.residual_multiplier,
        logit_scale: 1.0 / own.logits_scaling,
        ..Variant::new(cfg)?
    })
}

//! Gemma 3 (<https://arxiv.org/abs/2503.19786>), the text part: Gemma 2 with norms on the heads of queries and keys, and other angles
//! in the layers that have a window.

use formers_converters::{
    Error, Result,
    graph::Body,
    layers::{Activation, RopeConfig},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request, gemma,
    parts::{
        blocks::{Norm, Order},
        decoder::{Config, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma3_text", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    hidden_activation: Activation,
    query_pre_attn_scalar: f32,
    attn_logit_softcapping: Option<f32>,
    final_logit_softcapping: Option<f32>,
    sliding_window_pattern: usize,
}

pub(crate) fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = gemma::defaults();
    defaults["num_key_value_heads"] = json!(4);
    defaults["max_position_embeddings"] = json!(131_072);
    defaults["sliding_window"] = json!(4096);
    defaults["sliding_window_pattern"] = json!(6);
    defaults["hidden_activation"] = json!("gelu_pytorch_tanh");
    defaults["query_pre_attn_scalar"] = json!(256);
    defaults["rope_theta"] = json!(1_000_000.0);
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    gemma::causal_only(request)?;
    // Transformers reads the field and does not cap.
    if own.attn_logit_softcapping.is_some() {
        return Err(Error::unsupported("config.json: attn_logit_softcapping is not known for gemma3_text"));
    }
    cfg.hidden_act = own.hidden_activation;
    let rule = |layer: usize| (layer + 1).checked_rem(own.sliding_window_pattern).is_some_and(|rest| rest > 0);
    let theta = request.config.get("rope_local_base_freq").cloned().unwrap_or(json!(10_000.0));
    let everywhere = cfg.frequencies(&cfg.rope.of_layer_type("full_attention"))?;
    let variant = Variant {
        layers: cfg.near_and_far(rule),
        order: Order::AROUND,
        qk_norm: Some(QkNorm::of_heads(Norm::RmsPlusOne(cfg.rms_norm_eps))),
        scale: Some(own.query_pre_attn_scalar.powf(-0.5)),
        logit_softcap: own.final_logit_softcapping,
        frequencies: vec![everywhere, cfg.frequencies(&nearby(request, &theta)?)?],
        ..gemma::variant(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

/// The rotary positions of layers with a window: their own parameters, or else plain ones.
pub(crate) fn nearby(request: &Request, rope_theta: &Value) -> Result<RopeConfig> {
    const KIND: &str = "sliding_attention";
    let parameters = request.config.get("rope_parameters").and_then(|kinds| kinds.get(KIND)).filter(|own| !own.is_null());
    let rope = RopeConfig::deserialize(json!({"rope_theta": rope_theta, "rope_parameters": parameters}));
    rope.map_err(|error| Error::config(format!("config.json: rope_parameters.{KIND} or rope_theta of layers with a window: {error}")))
}

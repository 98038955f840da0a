//! Gemma 2 (<https://arxiv.org/abs/2408.00118>): Gemma with norms around each part, a window in every second layer, and scores and logits
//! that are capped.

use formers_converters::{Result, graph::Body, layers::Activation};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, gemma,
    parts::{
        blocks::Order,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma2", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    hidden_activation: Activation,
    query_pre_attn_scalar: f32,
    attn_logit_softcapping: Option<f32>,
    final_logit_softcapping: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    layered(request, Order::AROUND)
}

/// The graph of a model of this kind, by where its norms are.
pub(crate) fn layered(request: &Request, order: Order) -> Result<Vec<Body>> {
    let mut defaults = gemma::defaults();
    defaults["num_key_value_heads"] = json!(4);
    defaults["sliding_window"] = json!(4096);
    defaults["hidden_activation"] = json!("gelu_pytorch_tanh");
    defaults["query_pre_attn_scalar"] = json!(256);
    defaults["attn_logit_softcapping"] = json!(50.0);
    defaults["final_logit_softcapping"] = json!(30.0);
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    gemma::causal_only(request)?;
    cfg.hidden_act = own.hidden_activation;
    let variant = Variant {
        layers: cfg.windowed(|layer| layer % 2 == 0),
        order,
        scale: Some(own.query_pre_attn_scalar.powf(-0.5)),
        softcap: own.attn_logit_softcapping,
        logit_softcap: own.final_logit_softcapping,
        ..gemma::variant(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

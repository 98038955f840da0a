//! Granite 4 (<https://github.com/ibm-granite/granite-4.0-language-models>): Granite of which most layers keep states as Mamba 2 does, some
//! attend, and each has a feed-forward part of its own beside a mixture of experts.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{RopeConfig, linear_no_bias},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, granite, granitemoe,
    mamba2::Mamba,
    parts::decoder::{Config, LayerKind, Layers, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("granitemoehybrid", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    layer_types: Option<Vec<String>>,
    position_embedding_type: Option<String>,
    num_local_experts: usize,
    num_experts_per_tok: usize,
}

impl Default for Own {
    fn default() -> Self {
        Self { layer_types: None, position_embedding_type: None, num_local_experts: 8, num_experts_per_tok: 2 }
    }
}

impl Own {
    /// Whether a layer attends, by its older or newer name; without `layer_types` none does.
    fn attends(&self, layer: usize) -> bool {
        let kind = self.layer_types.as_ref().and_then(|types| types.get(layer));
        kind.is_some_and(|kind| matches!(kind.as_str(), "attention" | "full_attention"))
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (mut cfg, own): (Config, Own) =
        (Config::of(request, &granite::defaults())?, request.config_mapped(&[("layers_block_type", "layer_types")])?);
    let rotary = match own.position_embedding_type.as_deref() {
        None | Some("nope") => None,
        Some("rope") => Some(0),
        Some(other) => return Err(Error::unsupported(format!("config.json: position_embedding_type {other:?} is not known"))),
    };
    if rotary.is_none() {
        cfg.rope = RopeConfig::default();
    }
    let mamba = request.config::<Mamba>()?.mixer(cfg.hidden_size, cfg.hidden_act, cfg.rms_norm_eps);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| mamba.of(&w.pp("mamba"), &layers.states, x, layer);
    let feed_forward = |w: &Weights, x: &Tensor, _: usize| {
        let shared = shared_mlp(&cfg, &w.pp("shared_mlp"), x);
        let mixed = || granitemoe::mixture(&cfg, own.num_experts_per_tok, &w.pp("block_sparse_moe"), x);
        if own.num_local_experts > 0 { mixed() + shared } else { shared }
    };
    let kind = |layer| LayerKind { rotary, mixture: true, ..LayerKind::attending(own.attends(layer)) };
    let variant = granite::variant(request, &cfg, &granite::defaults())?;
    decoder(request, &cfg, &Variant { layers: cfg.layers(kind), mixer: &mixer, mixture: &feed_forward, ..variant })
}

/// A gated layer whose two first matrices are one.
pub(crate) fn shared_mlp(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let both = linear_no_bias(&w.pp("input_linear"), x);
    let half = i64::try_from(both.fixed(-1) / 2).unwrap_or(i64::MAX);
    let gated = cfg.hidden_act.of(&both.slice(-1, 0, half)) * both.slice(-1, half, i64::MAX);
    linear_no_bias(&w.pp("output_linear"), &gated)
}

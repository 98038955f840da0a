//! Jamba (<https://arxiv.org/abs/2403.19887>): a decoder of which most layers keep states as Mamba does, some attend, without positions, and
//! some are mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::rms_norm,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    mamba::Mixer,
    parts::{
        blocks::{Mlp, Order},
        decoder::{Config, LayerKind, Layers, Variant, decoder},
        mixture::{EXPERTS, by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("jamba", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    num_experts: usize,
    num_experts_per_tok: usize,
    expert_layer_period: usize,
    expert_layer_offset: usize,
    attn_layer_period: usize,
    attn_layer_offset: usize,
    mamba_d_state: usize,
    mamba_expand: usize,
    mamba_conv_bias: bool,
    mamba_proj_bias: bool,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            num_experts: 16,
            num_experts_per_tok: 2,
            expert_layer_period: 2,
            expert_layer_offset: 1,
            attn_layer_period: 8,
            attn_layer_offset: 4,
            mamba_d_state: 16,
            mamba_expand: 2,
            mamba_conv_bias: true,
            mamba_proj_bias: false,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"num_key_value_heads": 8, "max_position_embeddings": 262_144}))?;
    let own: Own = request.config_mapped(&[("num_local_experts", "num_experts")])?;
    let norm = |w: &Weights, part: &str, x: &Tensor| rms_norm(&w.pp(format!("{part}_layernorm")), cfg.rms_norm_eps, x);
    let mamba = Mixer {
        channels: own.mamba_expand.saturating_mul(cfg.hidden_size),
        state_size: own.mamba_d_state,
        bias: own.mamba_proj_bias,
        conv_bias: own.mamba_conv_bias,
        activation: cfg.hidden_act,
        norm: &norm,
    };
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| mamba.of(&w.pp("mamba"), &layers.states, x, layer);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("feed_forward");
        let routed = by_softmax(&scores(&w.pp("router"), x), own.num_experts_per_tok, false);
        gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x)
    };
    let kind = |layer: usize| {
        let attends = layer.checked_rem(own.attn_layer_period) == Some(own.attn_layer_offset);
        let mixture = own.num_experts > 1 && layer.checked_rem(own.expert_layer_period) == Some(own.expert_layer_offset);
        LayerKind { rotary: None, mixture, ..LayerKind::attending(attends) }
    };
    let variant = Variant {
        layers: cfg.layers(kind),
        order: Order::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("pre_ff_layernorm"), None) },
        last_norm: "final_layernorm",
        mixer: &mixer,
        mlp: Mlp::Gated { bias: false },
        feed_forward: "feed_forward",
        mixture: &mixture,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

//! Falcon H1 (<https://arxiv.org/abs/2507.22448>): a decoder whose layers attend and keep states side by side, with a factor on nearly
//! everything that is projected.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::linear_if,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    mamba2::{Gated, Mamba, Mixer},
    parts::{
        blocks::Order,
        decoder::{Config, LayerKind, Layers, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("falcon_h1", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    mamba_d_ssm: Option<usize>,
    mamba_norm_before_gate: bool,
    mamba_rms_norm: bool,
    projectors_bias: bool,
    lm_head_multiplier: f32,
    embedding_multiplier: f32,
    mlp_multipliers: Option<[f32; 2]>,
    key_multiplier: f32,
    attention_out_multiplier: f32,
    attention_in_multiplier: f32,
    ssm_multipliers: Option<[f32; 5]>,
    ssm_in_multiplier: f32,
    ssm_out_multiplier: f32,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            mamba_d_ssm: Some(1024),
            mamba_norm_before_gate: true,
            mamba_rms_norm: false,
            projectors_bias: false,
            lm_head_multiplier: 1.0,
            embedding_multiplier: 1.0,
            mlp_multipliers: None,
            key_multiplier: 1.0,
            attention_out_multiplier: 1.0,
            attention_in_multiplier: 1.0,
            ssm_multipliers: None,
            ssm_in_multiplier: 1.0,
            ssm_out_multiplier: 1.0,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_key_value_heads": 8, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5});
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    let mamba = request.config::<Mamba>()?.mixer(cfg.hidden_size, cfg.hidden_act, cfg.rms_norm_eps);
    let mamba = own.mixer(&cfg, mamba);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let states = mamba.of(&w.pp("mamba"), &layers.states, &(x * own.ssm_in_multiplier), layer) * own.ssm_out_multiplier;
        let w = w.pp("self_attn");
        let [query, key, value] = layers.projections(&w, &(x * own.attention_in_multiplier));
        let attended = layers.output(&w, &layers.attend(&w, [query, key * own.key_multiplier, value], layer));
        states + attended * own.attention_out_multiplier
    };
    let [gate, down] = own.mlp_multipliers.unwrap_or([1.0; 2]);
    let feed_forward = |w: &Weights, x: &Tensor, _: usize| {
        let linear = |name: &str, x: &Tensor| linear_if(&w.pp("feed_forward").pp(name), x, cfg.mlp_bias);
        let gated = cfg.hidden_act.of(&(linear("gate_proj", x) * gate)) * linear("up_proj", x);
        linear("down_proj", &gated) * down
    };
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind { mixture: true, ..LayerKind::OWN }),
        order: Order::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("pre_ff_layernorm"), None) },
        last_norm: "final_layernorm",
        mixer: &mixer,
        mixture: &feed_forward,
        embedding_scale: own.embedding_multiplier,
        logit_scale: own.lm_head_multiplier,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

impl Own {
    fn mixer(&self, cfg: &Config, usual: Mixer) -> Mixer {
        let epsilon = cfg.rms_norm_eps;
        Mixer {
            channels: self.mamba_d_ssm.unwrap_or(usual.channels),
            bias: [usual.bias[0], self.projectors_bias],
            gated: match (self.mamba_rms_norm, self.mamba_norm_before_gate) {
                (false, _) => Gated::Plain,
                (true, true) => Gated::NormFirst(epsilon),
                (true, false) => Gated::NormLast(epsilon),
            },
            multipliers: self.ssm_multipliers,
            ..usual
        }
    }
}

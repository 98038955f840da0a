//! Qwen3-Next (<https://qwen.ai/blog?id=qwen3-next>): a decoder of which most layers keep a state by the gated delta rule
//! (<https://arxiv.org/abs/2412.06464>), some attend with a gate on what they found, and most are mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{LinearAttention, States, attention::ungroup, linear_if, linear_no_bias, rms_norm},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Norm, by_head},
        decoder::{Config, LayerKind, Layers, QkNorm, Variant, decoder},
    },
    qwen2_moe::{self, Sparse},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_next", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = defaults();
    for (key, value) in [("num_experts", json!(512)), ("num_experts_per_tok", json!(10)), ("norm_topk_prob", json!(true))] {
        defaults[key] = value;
    }
    mixed(request, &defaults)
}

/// What the models of this kind take for fields that are not there.
pub(crate) fn defaults() -> Value {
    json!({
        "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "max_position_embeddings": 32_768, "num_hidden_layers": 48,
        "decoder_sparse_step": 1,
    })
}

#[derive(Deserialize)]
struct Experts {
    num_experts: usize,
}

/// The graph of a model whose layers are mixtures of experts, or some of them.
pub(crate) fn mixed(request: &Request, defaults: &Value) -> Result<Vec<Body>> {
    let (sparse, experts): (Sparse, Experts) = (request.config_over(defaults)?, request.config_over(defaults)?);
    hybrid(request, defaults, Some(&sparse).filter(|_| experts.num_experts > 0))
}

/// The graph, with which layers are mixtures of experts, if any are.
pub(crate) fn hybrid(request: &Request, defaults: &Value, sparse: Option<&Sparse>) -> Result<Vec<Body>> {
    let (mut cfg, delta): (Config, DeltaNet) = (Config::of(request, defaults)?, request.config()?);
    cfg.rope = cfg.rope.in_part(0.25);
    let norm = Norm::RmsPlusOne(cfg.rms_norm_eps);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        if delta.attends(layer) {
            attention(&cfg, layers, &w.pp("self_attn"), x, layer)
        } else {
            delta.of(&cfg, &w.pp("linear_attn"), &layers.states, x, layer)
        }
    };
    let mixture = |w: &Weights, x: &Tensor, _: usize| sparse.map_or_else(|| x.clone(), |sparse| qwen2_moe::mixture(&cfg, sparse, w, x));
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind { mixture: sparse.is_some_and(|sparse| sparse.has(layer)), ..LayerKind::OWN }),
        norm,
        mixer: &mixer,
        mixture: &mixture,
        qk_norm: Some(QkNorm::of_heads(norm)),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

/// Attention of which each component is gated, by what comes with the queries.
fn attention(cfg: &Config, layers: &Layers, w: &Weights, x: &Tensor, layer: usize) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.attention_bias);
    let [query, gate] = ungroup(&linear("q_proj", x), cfg.num_attention_heads, [cfg.head_dim(); 2]);
    let attended = layers.attend(w, [query, linear("k_proj", x), linear("v_proj", x)], layer);
    layers.output(w, &(attended * gate.sigmoid()))
}

/// Layers with a state by the gated delta rule.
#[derive(Deserialize)]
#[serde(default)]
struct DeltaNet {
    linear_key_head_dim: usize,
    linear_value_head_dim: usize,
    linear_num_key_heads: usize,
    linear_num_value_heads: usize,
    layer_types: Option<Vec<String>>,
    full_attention_interval: usize,
}

impl Default for DeltaNet {
    fn default() -> Self {
        Self {
            linear_key_head_dim: 128,
            linear_value_head_dim: 128,
            linear_num_key_heads: 16,
            linear_num_value_heads: 32,
            layer_types: None,
            full_attention_interval: 4,
        }
    }
}

impl DeltaNet {
    fn attends(&self, layer: usize) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "full_attention"),
            None => (layer + 1).checked_rem(self.full_attention_interval) == Some(0),
        }
    }

    fn of(&self, cfg: &Config, w: &Weights, states: &States, x: &Tensor, layer: usize) -> Tensor {
        let (groups, heads) = (self.linear_num_key_heads, self.linear_num_value_heads);
        let (keys, values) = (groups.saturating_mul(self.linear_key_head_dim), heads.saturating_mul(self.linear_value_head_dim));
        let Projected { mixed, gate, update, step } = self.projected(w, x);
        let mixed = states.causal_conv(layer, &w.pp("conv1d").any("weight", 3), None, cfg.hidden_act, &mixed);
        let mut parts = mixed.split(-1, &[keys, keys, values]).into_iter();
        let [query, key, value] = [(); 3].map(|()| parts.next().unwrap_or_else(|| mixed.clone()));
        let [query, key] = [query, key].map(|x| by_head(&x, self.linear_key_head_dim, unit));
        // With neither decay nor update, padding leaves the state as it is.
        let decay = states.without_padding(&((step + w.get("dt_bias", &[heads])).softplus() * -w.get("A_log", &[heads]).exp()));
        let update = states.without_padding(&update.sigmoid());
        let scale = 1.0 / (self.linear_key_head_dim as f32).sqrt();
        let how = LinearAttention { name: "recurrent", groups, heads, scale };
        let read = states.linear_attention(layer, &how, [&query, &key, &value], &decay, Some(&update));
        let normalized = by_head(&read, self.linear_value_head_dim, |x| rms_norm(&w.pp("norm"), cfg.rms_norm_eps, x));
        linear_no_bias(&w.pp("out_proj"), &(normalized * gate.silu()))
    }

    /// From two matrices, in which each head of keys stands with what belongs to it, or from one matrix for each.
    fn projected(&self, w: &Weights, x: &Tensor) -> Projected {
        let linear = |name: &str| linear_no_bias(&w.pp(name), x);
        if !w.pp("in_proj_qkvz").exists() {
            let [mixed, gate, update, step] = ["in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a"].map(linear);
            return Projected { mixed, gate, update, step };
        }
        let groups = self.linear_num_key_heads;
        let shared = self.linear_num_value_heads / groups.max(1);
        let (key, value) = (self.linear_key_head_dim, shared.saturating_mul(self.linear_value_head_dim));
        let [query, key, value, gate] = ungroup(&linear("in_proj_qkvz"), groups, [key, key, value, value]);
        let [update, step] = ungroup(&linear("in_proj_ba"), groups, [shared; 2]);
        Projected { mixed: x.graph().concat(&[&query, &key, &value], -1), gate, update, step }
    }
}

struct Projected {
    /// Queries, keys and values.
    mixed: Tensor,
    gate: Tensor,
    update: Tensor,
    step: Tensor,
}

/// `x / √(Σ x² + ε)` over the last axis.
fn unit(x: &Tensor) -> Tensor {
    const EPSILON: f32 = 1e-6;
    let size = x.fixed(-1);
    // The mean square is the sum of squares by so many.
    let scale = x.graph().full(&[size.into()], 1.0 / (size as f32).sqrt(), x.dtype());
    x.rms_norm(&scale, EPSILON / size as f32)
}

//! LFM2 (<https://arxiv.org/abs/2511.23404>): a decoder of which most layers look back over a few tokens by a gated convolution, and
//! some attend to all.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, States, linear_if},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        decoder::{Config, LayerKind, Layers, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("lfm2", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    norm_eps: f32,
    tie_embedding: Option<bool>,
    conv_bias: bool,
    layer_types: Option<Vec<String>>,
    full_attn_idxs: Option<Vec<usize>>,
}

impl Default for Own {
    fn default() -> Self {
        Self { norm_eps: 1e-5, tie_embedding: None, conv_bias: false, layer_types: None, full_attn_idxs: None }
    }
}

impl Own {
    /// Whether a layer attends; without `layer_types` and `full_attn_idxs` all do.
    fn attends(&self, layer: usize) -> bool {
        match (&self.layer_types, &self.full_attn_idxs) {
            (Some(types), _) => types.get(layer).is_some_and(|kind| kind != "conv"),
            (None, Some(layers)) => layers.contains(&layer),
            (None, None) => true,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    hybrid(request, |_| false, &|_, x, _| x.clone())
}

/// The graph, by which layers have a mixture in place of the feed-forward part, and which.
pub(crate) fn hybrid(
    request: &Request,
    is_sparse: impl Fn(usize) -> bool,
    mixture: &dyn Fn(&Weights, &Tensor, usize) -> Tensor,
) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "max_position_embeddings": 128_000, "rope_theta": 1_000_000.0, "tie_word_embeddings": true,
    });
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    cfg.hidden_act = Activation::Silu;
    cfg.tie_word_embeddings = own.tie_embedding.unwrap_or(cfg.tie_word_embeddings);
    let norm = Norm::Rms(own.norm_eps);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| short_conv(&w.pp("conv"), own.conv_bias, &layers.states, x, layer);
    let kind = |layer| LayerKind { mixture: is_sparse(layer), ..LayerKind::attending(own.attends(layer)) };
    let variant = Variant {
        layers: cfg.layers(kind),
        norm,
        order: Order::InTurn { attention: (Some("operator_norm"), None), mlp: (Some("ffn_norm"), None) },
        last_norm: "embedding_norm",
        qk_norm: Some(QkNorm::of_heads(norm).named(["q_layernorm", "k_layernorm"])),
        output: "out_proj",
        mixer: &mixer,
        mlp: Mlp::GatedBy(["w1", "w3", "w2"]),
        feed_forward: "feed_forward",
        mixture,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

/// `out(c · conv(b · x))`, with `b`, `c` and `x` from the input.
fn short_conv(w: &Weights, bias: bool, states: &States, x: &Tensor, layer: usize) -> Tensor {
    let all = linear_if(&w.pp("in_proj"), x, bias);
    let width = all.fixed(-1) / 3;
    let [b, c, x] = [0, 1, 2].map(|part| {
        let at = |part: usize| i64::try_from(part * width).unwrap_or(i64::MAX);
        all.slice(2, at(part), at(part + 1))
    });
    let conv = w.pp("conv");
    let conv_bias = bias.then(|| conv.get("bias", &[width]));
    let looked_back = states.causal_conv(layer, &conv.any("weight", 3), conv_bias.as_ref(), Activation::Linear, &(b * x));
    linear_if(&w.pp("out_proj"), &(c * looked_back), bias)
}

//! LFM2 (<https://arxiv.org/abs/2511.23404>): a decoder of which most layers look back over a few tokens by a gated convolution, and
//! some attend to all.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, States, linear_if, linear_no_bias},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Layers, Variant, decoder},
    parts::blocks::{Norm, Order},
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
    hybrid(request, &|_, _, _| None)
}

/// The graph, with what some layers have in place of the feed-forward part.
pub(crate) fn hybrid(request: &Request, mixture: &dyn Fn(&Weights, &Tensor, usize) -> Option<Tensor>) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "max_position_embeddings": 128_000, "rope_theta": 1_000_000.0, "tie_word_embeddings": true,
    });
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    cfg.tie_word_embeddings = own.tie_embedding.unwrap_or(cfg.tie_word_embeddings);
    let norm = Norm::Rms(own.norm_eps);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        (!own.attends(layer)).then(|| short_conv(&w.pp("conv"), own.conv_bias, &layers.states, x, layer))
    };
    let feed_forward = |w: &Weights, x: &Tensor, layer: usize| {
        let linear = |name: &str, x: &Tensor| linear_no_bias(&w.pp("feed_forward").pp(name), x);
        mixture(w, x, layer).or_else(|| Some(linear("w2", &(linear("w1", x).silu() * linear("w3", x)))))
    };
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => norm.of_heads(&w.pp(format!("{part}_layernorm")), cfg.head_dim(), x),
    };
    let variant = Variant {
        norm,
        order: Order::InTurn { attention: (Some("operator_norm"), None), mlp: (Some("ffn_norm"), None) },
        last_norm: "embedding_norm",
        projected: &projected,
        output: "out_proj",
        mixer: &mixer,
        mixture: &feed_forward,
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

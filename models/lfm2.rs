//! LFM2 (<https://arxiv.org/abs/2511.23404>): a decoder of which most layers look back over a few tokens by a gated convolution, and
//! some attend to all.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Decoding, States, embedding, linear_if, linear_no_bias},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::Norm,
    heads,
    llama::{self, Layers, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "lfm2", base: "model", heads: &[Head::CausalLm], build };

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    num_hidden_layers: usize,
    norm_eps: f32,
    tie_word_embeddings: bool,
    conv_bias: bool,
    layer_types: Option<Vec<String>>,
    full_attn_idxs: Option<Vec<usize>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { num_hidden_layers: 32, norm_eps: 1e-5, tie_word_embeddings: true, conv_bias: false, layer_types: None, full_attn_idxs: None }
    }
}

impl Config {
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
    let cfg: Config = request.config_mapped(&[("tie_embedding", "tie_word_embeddings")])?;
    let defaults = json!({"num_key_value_heads": 8, "max_position_embeddings": 128_000, "rope_theta": 1_000_000.0});
    let attention = llama::Config::of(request, &defaults)?;
    let norm = Norm::Rms(cfg.norm_eps);
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => norm.of_heads(&w.pp(format!("{part}_layernorm")), attention.head_dim(), x),
    };
    let variant = Variant { projected: &projected, output: "out_proj", ..Variant::new(&attention)? };
    let (graph, w) = request.graph("model");
    let base = w.base("model");
    let decoding = Decoding::new(&graph);
    let (attention, states) = (Layers::new(&attention, &variant, &decoding), States::new(&decoding));

    let x = embedding(&base.pp("embed_tokens"), &decoding.input_ids);
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(x, |x, (i, w)| {
        let h = norm.of(&w.pp("operator_norm"), &x);
        let mixed =
            if cfg.attends(i) { attention.attention(&w.pp("self_attn"), &h, i) } else { short_conv(&cfg, &w.pp("conv"), &states, &h, i) };
        let x = x + mixed;
        &x + feed_forward(&w.pp("feed_forward"), &norm.of(&w.pp("ffn_norm"), &x))
    });
    let hidden = norm.of(&base.pp("embedding_norm"), &decoding.at_the_end(&x));
    graph.output("logits", &heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), &hidden));
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// `out(c · conv(b · x))`, with `b`, `c` and `x` from the input.
fn short_conv(cfg: &Config, w: &Weights, states: &States, x: &Tensor, index: usize) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.conv_bias);
    let all = linear("in_proj", x);
    let width = all.fixed(-1) / 3;
    let [b, c, x] = [0, 1, 2].map(|part| {
        let at = |part: usize| i64::try_from(part * width).unwrap_or(i64::MAX);
        all.slice(2, at(part), at(part + 1))
    });
    let conv = w.pp("conv");
    let bias = cfg.conv_bias.then(|| conv.get("bias", &[width]));
    let looked_back = states.causal_conv(index, &conv.any("weight", 3), bias.as_ref(), Activation::Linear, &(b * x));
    linear("out_proj", &(c * looked_back))
}

fn feed_forward(w: &Weights, x: &Tensor) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_no_bias(&w.pp(name), x);
    linear("w2", &(linear("w1", x).silu() * linear("w3", x)))
}

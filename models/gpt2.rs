//! GPT-2: a decoder with learned positions and norms before each part.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, cached_attention, embedding, layer_norm},
};
use serde::Deserialize;

use crate::{
    architecture::{Architecture, Head, Request},
    heads,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "gpt2", base: "transformer", heads: &[Head::CausalLm], build };

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    #[serde(alias = "hidden_size")]
    n_embd: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layer: usize,
    #[serde(alias = "num_attention_heads")]
    n_head: usize,
    activation_function: Activation,
    layer_norm_epsilon: f32,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            activation_function: Activation::GeluTanh,
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph("model");
    let base = w.base("transformer");
    let decoding = Decoding::new(&graph);

    let x = embedding(&base.pp("wte"), &decoding.input_ids) + embedding(&base.pp("wpe"), &decoding.positions);
    let x = base.layers("h", cfg.n_layer).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let hidden = layer_norm(&base.pp("ln_f"), cfg.layer_norm_epsilon, &decoding.at_the_end(&x));
    graph.output("logits", &heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("wte"), &hidden));
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_epsilon, x);
    let x = x + self_attention(cfg, &w.pp("attn"), &norm("ln_1", x), decoding, index);
    let h = cfg.activation_function.of(&conv1d(&w.pp("mlp.c_fc"), &norm("ln_2", &x)));
    x + conv1d(&w.pp("mlp.c_proj"), &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let mut parts = conv1d(&w.pp("c_attn"), x).chunk(2, 3).into_iter();
    let mut next = || parts.next().unwrap_or_else(|| x.clone());
    let (query, key, value) = (next(), next(), next());
    let mut how = CachedAttention::new(cfg.n_head, cfg.n_head, cfg.n_embd / cfg.n_head.max(1));
    if !cfg.scale_attn_weights {
        how.scale = 1.0;
    }
    if cfg.scale_attn_by_inverse_layer_idx {
        how.scale /= (index + 1) as f32;
    }
    conv1d(&w.pp("c_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

/// `x W + b` with `weight` `[in, out]`, as the first models had it.
fn conv1d(w: &Weights, x: &Tensor) -> Tensor {
    let weight = w.any("weight", 2);
    x.matmul(&weight) + w.get("bias", &[weight.fixed(1)])
}

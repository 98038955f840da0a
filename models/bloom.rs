//! BLOOM (<https://arxiv.org/abs/2211.05100>): a decoder that knows positions by linear biases on the scores of attention.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
    layers::{CachedAttention, Decoding, attention::ungroup, cached::alibi_slopes, cached_attention, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("bloom", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    n_layer: usize,
    n_head: usize,
    layer_norm_epsilon: f32,
    apply_residual_connection_post_layernorm: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 64,
            n_layer: 2,
            n_head: 8,
            layer_norm_epsilon: 1e-5,
            apply_residual_connection_post_layernorm: false,
            tie_word_embeddings: true,
        }
    }
}

const OTHER_NAMES: &[(&str, &str)] = &[("n_embed", "hidden_size"), ("num_hidden_layers", "n_layer"), ("num_attention_heads", "n_head")];

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(OTHER_NAMES)?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let norm = |name: &str, x: &Tensor| layer_norm(&base.pp(name), cfg.layer_norm_epsilon, x);
    let slopes = alibi_slopes(&graph, cfg.n_head, 8.0);
    let decoding = heads::decoding(request, &graph).with_bias(|keys| slopes * keys.cast(Dtype::F32));

    let x = norm("word_embeddings_layernorm", &decoding.embedded(&base.pp("word_embeddings")));
    let x = base.layers("h", cfg.n_layer).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("word_embeddings"), hidden);
    heads::answer(request, &decoding, &w, &x, |x| norm("ln_f", x), words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let residual = |name: &str, x: &Tensor, part: &dyn Fn(&Tensor) -> Tensor| {
        let normed = layer_norm(&w.pp(name), cfg.layer_norm_epsilon, x);
        part(&normed) + if cfg.apply_residual_connection_post_layernorm { &normed } else { x }
    };
    let x = residual("input_layernorm", x, &|x| self_attention(cfg, &w.pp("self_attention"), x, decoding, index));
    residual("post_attention_layernorm", &x, &|x| linear(&w.pp("mlp.dense_4h_to_h"), &linear(&w.pp("mlp.dense_h_to_4h"), x).gelu_tanh()))
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let (heads, size) = (cfg.n_head, cfg.hidden_size / cfg.n_head.max(1));
    let [query, key, value] = ungroup(&linear(&w.pp("query_key_value"), x), heads, [size; 3]);
    let how = CachedAttention::new(heads, heads, size);
    linear(&w.pp("dense"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

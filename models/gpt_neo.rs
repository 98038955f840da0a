//! GPT-Neo: GPT-2 in which some layers see no further back than a window, and scores are not scaled.

use std::iter::repeat_n;

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, cached_attention, linear, linear_no_bias},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    gpt2::{Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gpt_neo", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_layers: usize,
    num_heads: usize,
    /// Kinds of layers, one after another, and how often they come.
    attention_types: Vec<(Vec<Sight>, usize)>,
    window_size: usize,
    activation_function: Activation,
    layer_norm_epsilon: f32,
    tie_word_embeddings: bool,
}

/// How far back a layer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sight {
    Global,
    Local,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 2048,
            num_layers: 24,
            num_heads: 16,
            attention_types: vec![(vec![Sight::Global, Sight::Local], 12)],
            window_size: 256,
            activation_function: Activation::GeluTanh,
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    fn window(&self, layer: usize) -> Option<usize> {
        let mut kinds = self.attention_types.iter().flat_map(|(kinds, times)| repeat_n(kinds, *times).flatten());
        kinds.nth(layer).filter(|kind| **kind == Sight::Local).map(|_| self.window_size)
    }

    fn check(&self) -> Result<()> {
        let counts = self.attention_types.iter().map(|(kinds, times)| kinds.len().saturating_mul(*times));
        let (layers, kinds) = (self.num_layers, counts.fold(0, usize::saturating_add));
        if kinds == layers {
            return Ok(());
        }
        Err(Error::config(format!("config.json: attention_types makes {kinds} layers, but num_layers is {layers}")))
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(&[("num_hidden_layers", "num_layers"), ("num_attention_heads", "num_heads")])?;
    cfg.check()?;
    decoder(
        request,
        &Variant {
            layers: cfg.num_layers,
            activation: cfg.activation_function,
            epsilon: cfg.layer_norm_epsilon,
            tied: cfg.tie_word_embeddings,
            linear,
            attention: &|w, x, decoding, index| self_attention(&cfg, &w.pp("attention"), x, decoding, index),
        },
    )
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let [query, key, value] = ["q_proj", "k_proj", "v_proj"].map(|name| linear_no_bias(&w.pp(name), x));
    let (heads, size) = (cfg.num_heads, cfg.hidden_size / cfg.num_heads.max(1));
    let how = CachedAttention { scale: 1.0, window: cfg.window(index), ..CachedAttention::new(heads, heads, size) };
    linear(&w.pp("out_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

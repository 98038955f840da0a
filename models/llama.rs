//! Llama (<https://arxiv.org/abs/2302.13971>): a decoder with norms before each part, rotary positions, gated feed-forward
//! layers, and keys and values that several heads share.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary, cached_attention, embedding, gated_mlp, linear_if, rms_norm,
        rotary::Pairs,
    },
};
use serde::Deserialize;

use crate::{
    architecture::{Architecture, Head, Request},
    heads,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "llama", base: "model", heads: &[Head::CausalLm], build };

/// What Llama and its relatives say in `config.json`.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Activation,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    attention_bias: bool,
    mlp_bias: bool,
    tie_word_embeddings: bool,
    sliding_window: Option<usize>,
    use_sliding_window: bool,
    max_window_layers: usize,
    layer_types: Option<Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 4096,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: Activation::Silu,
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            attention_bias: false,
            mlp_bias: false,
            tie_word_embeddings: false,
            sliding_window: None,
            use_sliding_window: false,
            max_window_layers: 28,
            layer_types: None,
        }
    }
}

impl Config {
    fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// Whether the config says `attention_bias`.
    pub(crate) fn attention_bias(&self) -> bool {
        self.attention_bias
    }

    /// The window of every layer.
    pub(crate) fn window(&self) -> Option<usize> {
        self.sliding_window
    }

    /// The window of a layer where some have one: those that `layer_types` says, or else those from `max_window_layers` on.
    pub(crate) fn window_of(&self, layer: usize) -> Option<usize> {
        let slides = match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            None => layer >= self.max_window_layers,
        };
        self.sliding_window.filter(|_| self.use_sliding_window && slides)
    }
}

/// What relatives do in another way.
pub(crate) struct Variant<'a> {
    /// Queries, keys and values have a bias.
    pub(crate) qkv_bias: bool,
    /// The output of attention has one.
    pub(crate) output_bias: bool,
    /// Queries and keys are normalized, head by head.
    pub(crate) head_norms: bool,
    /// How far back a layer sees.
    pub(crate) window: &'a dyn Fn(usize) -> Option<usize>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let bias = cfg.attention_bias;
    decoder(request, &cfg, &Variant { qkv_bias: bias, output_bias: bias, head_norms: false, window: &|_| None })
}

/// The graph of a relative.
pub(crate) fn decoder(request: &Request, cfg: &Config, variant: &Variant) -> Result<Vec<Body>> {
    let rope: RopeConfig = request.config()?;
    let (graph, w) = request.graph("model");
    let base = w.base("model");
    let decoding = Decoding::new(&graph);
    let frequencies = rope.frequencies(cfg.head_dim(), 10_000.0, cfg.max_position_embeddings)?;
    let rotary = Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves);

    let x = embedding(&base.pp("embed_tokens"), &decoding.input_ids);
    let layers = base.layers("layers", cfg.num_hidden_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| layer(cfg, variant, &w, &x, &rotary, &decoding, i));
    let hidden = rms_norm(&base.pp("norm"), cfg.rms_norm_eps, &decoding.at_the_end(&x));
    graph.output("logits", &heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), &hidden));
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, variant: &Variant, w: &Weights, x: &Tensor, rotary: &Rotary, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| rms_norm(&w.pp(name), cfg.rms_norm_eps, x);
    let x = x + self_attention(cfg, variant, &w.pp("self_attn"), &norm("input_layernorm", x), rotary, decoding, index);
    let h = gated_mlp(&w.pp("mlp"), cfg.hidden_act, &norm("post_attention_layernorm", &x), cfg.mlp_bias);
    x + h
}

fn self_attention(cfg: &Config, variant: &Variant, w: &Weights, x: &Tensor, rotary: &Rotary, decoding: &Decoding, index: usize) -> Tensor {
    let (heads, size) = (cfg.num_attention_heads, cfg.head_dim());
    let groups = cfg.num_key_value_heads.unwrap_or(heads);
    let project = |name: &str| linear_if(&w.pp(name), x, variant.qkv_bias);
    let turned = |name: &str, norm: &str, heads: usize| {
        let x = project(name);
        let x = if variant.head_norms { head_norm(&w.pp(norm), cfg.rms_norm_eps, &x, heads, size) } else { x };
        rotary.of(&x, heads)
    };
    let (query, key) = (turned("q_proj", "q_norm", heads), turned("k_proj", "k_norm", groups));
    let how = CachedAttention { window: (variant.window)(index), ..CachedAttention::new(heads, groups, size) };
    let attended = cached_attention(decoding, index, &how, &query, &key, &project("v_proj"));
    linear_if(&w.pp("o_proj"), &attended, variant.output_bias)
}

/// Root-mean-square normalization of each head.
fn head_norm(w: &Weights, epsilon: f32, x: &Tensor, heads: usize, size: usize) -> Tensor {
    let apart = x.reshape(&[0i64.into(), 0i64.into(), heads.into(), size.into()]);
    rms_norm(w, epsilon, &apart).reshape(&[0i64.into(), 0i64.into(), (heads * size).into()])
}

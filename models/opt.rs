//! OPT (<https://arxiv.org/abs/2205.01068>): a decoder with learned positions, whose norms stand before each part or behind it.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, cached_attention, embedding, layer_norm, linear_if, linear_no_bias},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("opt", &[Head::CausalLm, Head::SequenceClassification, Head::QuestionAnswering], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    word_embed_proj_dim: Option<usize>,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    activation_function: Activation,
    do_layer_norm_before: bool,
    #[serde(rename = "_remove_final_layer_norm")]
    remove_final_layer_norm: bool,
    layer_norm_elementwise_affine: bool,
    enable_bias: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            word_embed_proj_dim: None,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            activation_function: Activation::Relu,
            do_layer_norm_before: true,
            remove_final_layer_norm: false,
            layer_norm_elementwise_affine: true,
            enable_bias: true,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    /// Words are narrower (or wider) than hidden states.
    fn projects(&self) -> bool {
        self.word_embed_proj_dim.is_some_and(|width| width != self.hidden_size)
    }
}

/// The table of positions has two rows in front that no token has.
const FIRST_POSITION: i64 = 2;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("model");
    let decoder = base.pp("decoder");
    let decoding = heads::decoding(request, &graph);

    let words = decoding.embedded(&decoder.pp("embed_tokens"));
    let words = if cfg.projects() { linear_no_bias(&decoder.pp("project_in"), &words) } else { words };
    let x = words + embedding(&decoder.pp("embed_positions"), &(&decoding.positions + graph.ints(&[], &[FIRST_POSITION])));
    let layers = decoder.layers("layers", cfg.num_hidden_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let last_norm = cfg.do_layer_norm_before && !cfg.remove_final_layer_norm;
    let last = |x: &Tensor| {
        let hidden = if last_norm { norm(&cfg, &decoder.pp("final_layer_norm"), x) } else { x.clone() };
        if cfg.projects() { linear_no_bias(&decoder.pp("project_out"), &hidden) } else { hidden }
    };
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &decoder.pp("embed_tokens"), hidden);
    heads::answer(request, &decoding, &w, &x, last, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let attention = |x: &Tensor| self_attention(cfg, &w.pp("self_attn"), x, decoding, index);
    let x = residual(cfg, &w.pp("self_attn_layer_norm"), x, attention);
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.enable_bias);
    residual(cfg, &w.pp("final_layer_norm"), &x, |x| linear("fc2", &cfg.activation_function.of(&linear("fc1", x))))
}

/// `x + part(x)`, with a norm on what the part sees, or else on the sum.
fn residual(cfg: &Config, w: &Weights, x: &Tensor, part: impl Fn(&Tensor) -> Tensor) -> Tensor {
    if cfg.do_layer_norm_before { x + part(&norm(cfg, w, x)) } else { norm(cfg, w, &(x + part(x))) }
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let project = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.enable_bias);
    let heads = cfg.num_attention_heads;
    let how = CachedAttention::new(heads, heads, cfg.hidden_size / heads.max(1));
    let attended = cached_attention(decoding, index, &how, &project("q_proj", x), &project("k_proj", x), &project("v_proj", x));
    project("out_proj", &attended)
}

/// Layer normalization, which has neither weight nor bias where `layer_norm_elementwise_affine` is false.
fn norm(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    const EPSILON: f32 = 1e-5;
    if cfg.layer_norm_elementwise_affine {
        return layer_norm(w, EPSILON, x);
    }
    let width = x.fixed(-1);
    x.layer_norm(&x.graph().floats(&[width], &vec![1.0; width]), None, EPSILON)
}

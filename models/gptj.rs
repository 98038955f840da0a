//! GPT-J: a decoder whose attention and feed-forward layers stand side by side behind one norm, with rotary positions on a
//! part of each head.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, RopeConfig, Rotary, cached_attention, layer_norm, linear, linear_no_bias, rotary::Pairs},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, gpt2::USUAL_NAMES, parts::heads};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("gptj", &[Head::CausalLm, Head::SequenceClassification, Head::QuestionAnswering], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_positions: usize,
    /// How many components of a head turn.
    rotary_dim: usize,
    activation_function: Activation,
    layer_norm_epsilon: f32,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            n_embd: 4096,
            n_layer: 28,
            n_head: 16,
            n_positions: 2048,
            rotary_dim: 64,
            activation_function: Activation::GeluTanh,
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: false,
        }
    }
}

/// Queries, keys and values of one layer.
pub(crate) type Projections = [Tensor; 3];

fn build(request: &Request) -> Result<Vec<Body>> {
    decoder(request, |w, x| ["q_proj", "k_proj", "v_proj"].map(|name| linear_no_bias(&w.pp(name), x)))
}

/// The graph of a relative, by how it projects the queries, keys and values of its attention.
pub(crate) fn decoder(request: &Request, project: fn(&Weights, &Tensor) -> Projections) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = heads::decoding(request, &graph);
    let frequencies = RopeConfig::default().frequencies(cfg.rotary_dim, 10_000.0, cfg.n_positions)?;
    let rotary = Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Neighbours);

    let x = decoding.embedded(&base.pp("wte"));
    let x = base.layers("h", cfg.n_layer).enumerate().fold(x, |x, (i, w)| {
        let normed = layer_norm(&w.pp("ln_1"), cfg.layer_norm_epsilon, &x);
        let [query, key, value] = project(&w.pp("attn"), &normed);
        let how = CachedAttention::new(cfg.n_head, cfg.n_head, cfg.n_embd / cfg.n_head.max(1));
        let (query, key) = (rotary.of(&query, cfg.n_head), rotary.of(&key, cfg.n_head));
        let attended = linear_no_bias(&w.pp("attn.out_proj"), &cached_attention(&decoding, i, &how, &query, &key, &value));
        x + attended + feed_forward(&cfg, &w.pp("mlp"), &normed)
    });
    let norm = |x: &Tensor| layer_norm(&base.pp("ln_f"), cfg.layer_norm_epsilon, x);
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("wte"), hidden);
    heads::answer(request, &decoding, &w, &x, norm, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    linear(&w.pp("fc_out"), &cfg.activation_function.of(&linear(&w.pp("fc_in"), x)))
}

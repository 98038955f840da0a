//! GPT-NeoX (<https://arxiv.org/abs/2204.06745>): a decoder whose attention and feed-forward layers stand side by side, with
//! rotary positions on a part of each head.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary, attention::ungroup, cached_attention, layer_norm, linear, linear_if,
        rotary::Pairs,
    },
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gpt_neox", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    max_position_embeddings: usize,
    layer_norm_eps: f32,
    attention_bias: bool,
    use_parallel_residual: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 6144,
            num_hidden_layers: 44,
            num_attention_heads: 64,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 2048,
            layer_norm_eps: 1e-5,
            attention_bias: true,
            use_parallel_residual: true,
            tie_word_embeddings: false,
        }
    }
}

impl Config {
    fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads.max(1)
    }
}

/// The part of a head that turns, where the config says none.
const TURNING: f64 = 0.25;

/// What older configs call their rotary parameters.
const OLDER_NAMES: &[(&str, &str)] =
    &[("rotary_emb_base", "rope_theta"), ("partial_rotary_factor", "unread"), ("rotary_pct", "partial_rotary_factor")];

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let rope = request.config_mapped::<RopeConfig>(OLDER_NAMES)?.in_part(TURNING);
    let (graph, w) = request.graph();
    let base = w.base("gpt_neox");
    let decoding = heads::decoding(request, &graph);
    let frequencies = rope.frequencies(cfg.head_size(), 10_000.0, cfg.max_position_embeddings)?;
    let rotary = Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves);

    let x = decoding.embedded(&base.pp("embed_in"));
    let layers = base.layers("layers", cfg.num_hidden_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| layer(&cfg, &w, &x, &rotary, &decoding, i));
    let norm = |x: &Tensor| layer_norm(&base.pp("final_layer_norm"), cfg.layer_norm_eps, x);
    let words = |hidden: &Tensor| heads::decoder(&w, "embed_out", cfg.tie_word_embeddings, &base.pp("embed_in"), hidden);
    heads::answer(request, &decoding, &w, &x, norm, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_eps, x);
    let attended = x + self_attention(cfg, &w.pp("attention"), &norm("input_layernorm", x), rotary, decoding, index);
    let seen = if cfg.use_parallel_residual { x } else { &attended };
    let h = cfg.hidden_act.of(&linear(&w.pp("mlp.dense_h_to_4h"), &norm("post_attention_layernorm", seen)));
    attended + linear(&w.pp("mlp.dense_4h_to_h"), &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, decoding: &Decoding, index: usize) -> Tensor {
    let (heads, size) = (cfg.num_attention_heads, cfg.head_size());
    let [query, key, value] = ungroup(&linear_if(&w.pp("query_key_value"), x, cfg.attention_bias), heads, [size; 3]);
    let how = CachedAttention::new(heads, heads, size);
    let attended = cached_attention(decoding, index, &how, &rotary.of(&query, heads), &rotary.of(&key, heads), &value);
    linear_if(&w.pp("dense"), &attended, cfg.attention_bias)
}

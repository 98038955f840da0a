//! BioGPT (<https://arxiv.org/abs/2210.10341>): a decoder with learned positions and norms before each part, for texts of biology.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, cached_attention, embedding, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, bart::two_layers, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("biogpt", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    scale_embedding: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 1024,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            hidden_act: Activation::Gelu,
            scale_embedding: true,
            tie_word_embeddings: true,
        }
    }
}

/// The table of positions has two rows in front that no token has.
const FIRST_POSITION: i64 = 2;

/// The epsilon of the norms, whatever `layer_norm_eps` says.
const EPSILON: f32 = 1e-5;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("biogpt");
    let decoding = heads::decoding(request, &graph);
    let table = base.pp("embed_tokens");
    let words = decoding.embedded(&table);
    let words = if cfg.scale_embedding { words * (cfg.hidden_size as f32).sqrt() } else { words };
    let x = words + embedding(&base.pp("embed_positions"), &(&decoding.positions + graph.ints(&[], &[FIRST_POSITION])));
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let last = |x: &Tensor| layer_norm(&base.pp("layer_norm"), EPSILON, x);
    let words = |hidden: &Tensor| heads::decoder(&w, "output_projection", cfg.tie_word_embeddings, &table, hidden);
    heads::answer(request, &decoding, &w, &x, last, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), EPSILON, x);
    let x = x + self_attention(cfg, &w.pp("self_attn"), &norm("self_attn_layer_norm", x), decoding, index);
    let h = two_layers(cfg.hidden_act, w, &norm("final_layer_norm", &x));
    x + h
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let heads = cfg.num_attention_heads;
    let how = CachedAttention::new(heads, heads, cfg.hidden_size / heads.max(1));
    let [query, key, value] = ["q_proj", "k_proj", "v_proj"].map(|name| linear(&w.pp(name), x));
    linear(&w.pp("out_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

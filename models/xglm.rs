//! XGLM (<https://arxiv.org/abs/2112.10668>): a decoder with norms before each part, whose positions are sines and cosines.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, cached_attention, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("xglm", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    d_model: usize,
    num_layers: usize,
    attention_heads: usize,
    activation_function: Activation,
    scale_embedding: bool,
    pad_token_id: Option<i64>,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 1024,
            num_layers: 24,
            attention_heads: 16,
            activation_function: Activation::Gelu,
            scale_embedding: true,
            pad_token_id: Some(1),
            tie_word_embeddings: true,
        }
    }
}

/// The usual names of what the config calls otherwise.
const USUAL_NAMES: &[(&str, &str)] =
    &[("hidden_size", "d_model"), ("num_hidden_layers", "num_layers"), ("num_attention_heads", "attention_heads")];

/// The table of positions has two rows in front that no token has.
const FIRST_POSITION: i64 = 2;

const EPSILON: f32 = 1e-5;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    let (graph, w) = request.graph();
    let base = w.base("model");
    let decoding = Decoding::new(&graph);

    let table = base.pp("embed_tokens");
    let words = decoding.embedded(&table);
    let words = if cfg.scale_embedding { words * (cfg.d_model as f32).sqrt() } else { words };
    let x = words + positions(&cfg, &decoding.positions);
    let x = base.layers("layers", cfg.num_layers).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let hidden = layer_norm(&base.pp("layer_norm"), EPSILON, &decoding.at_the_end(&x));
    graph.output("logits", &heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &table, &hidden));
    // Sines that older checkpoints stored.
    base.skip("embed_positions");
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// Sines and then cosines of the positions, `(batch, sequence, width)`. The row of the table whose number is that of the padding token is
/// zero; where that token is none of the first two, a position has it.
fn positions(cfg: &Config, positions: &Tensor) -> Tensor {
    let graph = positions.graph();
    let half = (cfg.d_model / 2).min(MOST);
    let step = 10_000f64.ln() / (half as f64 - 1.0);
    let frequencies = (0..half).flat_map(|i| (i as f32 * -step as f32).exp().to_le_bytes()).collect();
    let rows = positions + graph.ints(&[], &[FIRST_POSITION]);
    let angles = rows.cast(Dtype::F32).unsqueeze(&[2]) * graph.constant(Dtype::F32, &[half], frequencies);
    let table = graph.concat(&[&angles.sin(), &angles.cos()], 2);
    let odd = i64::from(!cfg.d_model.is_multiple_of(2));
    let table = if odd > 0 { table.pad(&[(0, 0), (0, 0), (0, odd)], 0.0) } else { table };
    let table = table.cast(graph.float());
    match cfg.pad_token_id {
        Some(id) if id >= FIRST_POSITION => {
            let is_padding = rows.equal(&graph.ints(&[], &[id])).unsqueeze(&[2]);
            is_padding.select(&table.scalar(0.0), &table)
        }
        _ => table,
    }
}

/// No model is wider; a config that says so would take all memory.
const MOST: usize = 1 << 20;

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), EPSILON, x);
    let x = x + self_attention(cfg, &w.pp("self_attn"), &norm("self_attn_layer_norm", x), decoding, index);
    let h = cfg.activation_function.of(&linear(&w.pp("fc1"), &norm("final_layer_norm", &x)));
    x + linear(&w.pp("fc2"), &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let project = |name: &str, x: &Tensor| linear(&w.pp(name), x);
    let heads = cfg.attention_heads;
    let how = CachedAttention::new(heads, heads, cfg.d_model / heads.max(1));
    let attended = cached_attention(decoding, index, &how, &project("q_proj", x), &project("k_proj", x), &project("v_proj", x));
    project("out_proj", &attended)
}

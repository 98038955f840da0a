//! CTRL (<https://arxiv.org/abs/1909.05858>): a decoder with norms before each part, whose positions are sines and cosines.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{CachedAttention, Decoding, cached_attention, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, gpt2::USUAL_NAMES, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ctrl", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    layer_norm_epsilon: f32,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { n_positions: 256, n_embd: 1280, n_layer: 48, n_head: 16, layer_norm_epsilon: 1e-6, tie_word_embeddings: true }
    }
}

/// Of the norms in layers, whatever `layer_norm_epsilon` says.
const EPSILON: f32 = 1e-6;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = heads::decoding(request, &graph);

    let table = base.pp("w");
    let words = decoding.embedded(&table) * (cfg.n_embd as f32).sqrt();
    let x = words + positions(&graph, &cfg)?.gather(&decoding.positions, 0);
    let x = base.layers("h", cfg.n_layer).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let norm = |x: &Tensor| layer_norm(&base.pp("layernorm"), cfg.layer_norm_epsilon, x);
    heads::answer(request, &decoding, &w, &x, norm, |h| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &table, h));
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// No model has more positions or is wider; a config that says so would take all memory.
const MOST: usize = 1 << 20;

/// Sines and then cosines of each position, `(positions, width)`, in operators that ONNX Runtime folds when it loads the graph.
fn positions(graph: &Graph, cfg: &Config) -> Result<Tensor> {
    let (count, width) = (cfg.n_positions, cfg.n_embd);
    if count > MOST || width > MOST {
        return Err(Error::config(format!("config.json: {count} positions (n_positions) of width {width} (n_embd) make no sense")));
    }
    let rows = graph.range(&graph.ints(&[1], &[count as i64])).cast(Dtype::F32).unsqueeze(&[1]);
    let angles = |n: usize| {
        let rates = (0..n).map(|i| 1.0 / 10_000f32.powf((2 * i) as f32 / width as f32));
        &rows * graph.constant(Dtype::F32, &[n], rates.flat_map(f32::to_le_bytes).collect())
    };
    Ok(graph.concat(&[&angles(width.div_ceil(2)).sin(), &angles(width / 2).cos()], 1).cast(graph.float()))
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), EPSILON, x);
    let x = x + self_attention(cfg, &w.pp("multi_head_attention"), &norm("layernorm1", x), decoding, index);
    let h = linear(&w.pp("ffn.0"), &norm("layernorm2", &x)).relu();
    x + linear(&w.pp("ffn.2"), &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let project = |name: &str, x: &Tensor| linear(&w.pp(name), x);
    let how = CachedAttention::new(cfg.n_head, cfg.n_head, cfg.n_embd / cfg.n_head.max(1));
    let attended = cached_attention(decoding, index, &how, &project("Wq", x), &project("Wk", x), &project("Wv", x));
    project("dense", &attended)
}

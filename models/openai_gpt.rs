//! GPT (<https://openai.com/research/language-unsupervised>): a decoder with learned positions, and norms on the sums behind each part.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, attention::ungroup, cached_attention, embedding, layer_norm},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    gpt2::{USUAL_NAMES, conv1d},
    parts::heads,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("openai-gpt", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    afn: String,
    layer_norm_epsilon: f32,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { n_embd: 768, n_layer: 12, n_head: 12, afn: "gelu".into(), layer_norm_epsilon: 1e-5, tie_word_embeddings: true }
    }
}

impl Config {
    /// What it calls GELU is its approximation.
    fn activation(&self) -> Result<Activation> {
        match self.afn.as_str() {
            "gelu" => Ok(Activation::GeluTanh),
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            other => Err(Error::unsupported(format!("config.json: afn: {other:?} is not known, only gelu, relu, silu and swish"))),
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    let activation = cfg.activation()?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = heads::decoding(request, &graph);
    let table = base.pp("tokens_embed");
    let x = decoding.embedded(&table) + embedding(&base.pp("positions_embed"), &decoding.positions);
    let layers = base.layers("h", cfg.n_layer).enumerate();
    let x = layers.fold(x, |x, (i, w)| layer(&cfg, activation, &w, &x, &decoding, i));
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &table, hidden);
    heads::answer(request, &decoding, &w, &x, Tensor::clone, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, activation: Activation, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_epsilon, x);
    let linear = |name: &str, x: &Tensor| conv1d(&w.pp(name), x);
    let how = CachedAttention::new(cfg.n_head, cfg.n_head, cfg.n_embd / cfg.n_head.max(1));
    let [query, key, value] = ungroup(&linear("attn.c_attn", x), 1, [cfg.n_embd; 3]);
    let attended = linear("attn.c_proj", &cached_attention(decoding, index, &how, &query, &key, &value));
    let x = norm("ln_1", &(x + attended));
    let h = linear("mlp.c_proj", &activation.of(&linear("mlp.c_fc", &x)));
    norm("ln_2", &(x + h))
}

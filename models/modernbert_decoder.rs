//! The decoder of Ettin (<https://arxiv.org/abs/2507.11412>): ModernBERT's layers, seen from left to right only.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary, cached_attention, embedding, layer_norm_if, linear_if, rotary::Pairs,
    },
};
use serde::Deserialize;

use crate::{
    architecture::{Architecture, Head, Request},
    heads,
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "modernbert-decoder", base: "model", heads: &[Head::CausalLm, Head::SequenceClassification], build };

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    hidden_activation: Activation,
    max_position_embeddings: usize,
    norm_eps: f32,
    norm_bias: bool,
    attention_bias: bool,
    mlp_bias: bool,
    layer_types: Option<Vec<String>>,
    global_attn_every_n_layers: usize,
    local_attention: usize,
    global_rope_theta: f64,
    local_rope_theta: f64,
    classifier_bias: bool,
    classifier_activation: Activation,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_attention_heads: 12,
            num_hidden_layers: 22,
            hidden_activation: Activation::Gelu,
            max_position_embeddings: 8192,
            norm_eps: 1e-5,
            norm_bias: false,
            attention_bias: false,
            mlp_bias: false,
            layer_types: None,
            global_attn_every_n_layers: 3,
            local_attention: 128,
            global_rope_theta: 160_000.0,
            local_rope_theta: 10_000.0,
            classifier_bias: false,
            classifier_activation: Activation::Gelu,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads.max(1)
    }

    /// Whether a layer has a window.
    fn slides(&self, layer: usize) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            None => layer.checked_rem(self.global_attn_every_n_layers).is_some_and(|rest| rest > 0),
        }
    }

    fn norm(&self, w: &Weights, x: &Tensor) -> Tensor {
        layer_norm_if(w, self.norm_eps, x, self.norm_bias)
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    if cfg.local_attention < 2 {
        return Err(Error::config(format!("config.json: local_attention of {} leaves nothing to see", cfg.local_attention)));
    }
    let (graph, w) = request.graph("model");
    let base = w.base("model");
    let decoding = heads::decoding(request, &graph);
    let rope: RopeConfig = request.config()?;
    let rotary = |layer_type: &str, theta| {
        let frequencies = rope.of_layer_type(layer_type).frequencies(cfg.head_size(), theta, cfg.max_position_embeddings)?;
        Result::Ok(Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves))
    };
    let [global, local] = [rotary("full_attention", cfg.global_rope_theta)?, rotary("sliding_attention", cfg.local_rope_theta)?];

    let words = base.pp("embeddings.tok_embeddings");
    let x = cfg.norm(&base.pp("embeddings.norm"), &embedding(&words, &decoding.input_ids));
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(x, |x, (i, w)| {
        // The norm of the embeddings stands in for that of the first layer.
        let h = if i == 0 { x.clone() } else { cfg.norm(&w.pp("attn_norm"), &x) };
        let rotary = if cfg.slides(i) { &local } else { &global };
        let x = x + self_attention(&cfg, &w.pp("attn"), &h, rotary, &decoding, i);
        &x + mlp(&cfg, &w.pp("mlp"), &cfg.norm(&w.pp("mlp_norm"), &x))
    });
    // The same layers stand before words and before labels, under different names.
    let before = w.pp(if request.head == Head::SequenceClassification { "head" } else { "lm_head" });
    let last = |x: &Tensor| head(&cfg, &before, &cfg.norm(&base.pp("final_norm"), x));
    heads::answer(request, &decoding, &w, &x, last, |h| heads::decoder(&w, "decoder", cfg.tie_word_embeddings, &words, h));
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, decoding: &Decoding, index: usize) -> Tensor {
    let heads = cfg.num_attention_heads;
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.attention_bias);
    let (query, key) = (rotary.of(&linear("q_proj", x), heads), rotary.of(&linear("k_proj", x), heads));
    // The window reaches as far back as ModernBERT's does to one side.
    let window = cfg.slides(index).then_some(cfg.local_attention / 2);
    let how = CachedAttention { window, ..CachedAttention::new(heads, heads, cfg.head_size()) };
    linear("Wo", &cached_attention(decoding, index, &how, &query, &key, &linear("v_proj", x)))
}

fn mlp(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let both = linear_if(&w.pp("Wi"), x, cfg.mlp_bias).chunk(-1, 2);
    let [x, gate] = both.as_slice() else { return x.clone() };
    linear_if(&w.pp("Wo"), &(cfg.hidden_activation.of(x) * gate), cfg.mlp_bias)
}

fn head(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    cfg.norm(&w.pp("norm"), &cfg.classifier_activation.of(&linear_if(&w.pp("dense"), x, cfg.classifier_bias)))
}

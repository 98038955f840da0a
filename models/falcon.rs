//! Falcon (<https://arxiv.org/abs/2311.16867>): a decoder whose attention and feed-forward layers mostly stand side by side, with
//! keys and values that heads share, and rotary positions or linear biases.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary,
        attention::{scale, ungroup},
        cached::alibi_slopes,
        cached_attention, layer_norm, linear_if,
        rotary::Pairs,
    },
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("falcon", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_kv_heads: Option<usize>,
    new_decoder_architecture: bool,
    multi_query: bool,
    parallel_attn: bool,
    num_ln_in_parallel_attn: Option<usize>,
    alibi: bool,
    bias: bool,
    activation: Activation,
    max_position_embeddings: usize,
    layer_norm_epsilon: f32,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 4544,
            num_hidden_layers: 32,
            num_attention_heads: 71,
            num_kv_heads: None,
            new_decoder_architecture: false,
            multi_query: true,
            parallel_attn: true,
            num_ln_in_parallel_attn: None,
            alibi: false,
            bias: false,
            activation: Activation::Gelu,
            max_position_embeddings: 2048,
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads.max(1)
    }

    /// How many keys and values the heads share.
    fn groups(&self) -> usize {
        match (self.new_decoder_architecture, self.multi_query) {
            (true, _) => self.num_kv_heads.unwrap_or(self.num_attention_heads),
            (false, true) => 1,
            (false, false) => self.num_attention_heads,
        }
    }

    /// Attention and feed-forward layers have a norm each, though they stand side by side.
    fn two_norms(&self) -> bool {
        self.new_decoder_architecture && self.num_ln_in_parallel_attn.unwrap_or(2) == 2
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(&[("n_embed", "hidden_size")])?;
    let rope: RopeConfig = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = heads::decoding(request, &graph);
    let (decoding, rotary) = if cfg.alibi {
        (decoding.with_bias(|keys| alibi(&cfg, keys)), None)
    } else {
        let frequencies = rope.frequencies(cfg.head_size(), 10_000.0, cfg.max_position_embeddings)?;
        let rotary = Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves);
        (decoding, Some(rotary))
    };

    let x = decoding.embedded(&base.pp("word_embeddings"));
    let layers = base.layers("h", cfg.num_hidden_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| layer(&cfg, &w, &x, rotary.as_ref(), &decoding, i));
    let norm = |x: &Tensor| layer_norm(&base.pp("ln_f"), cfg.layer_norm_epsilon, x);
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("word_embeddings"), hidden);
    heads::answer(request, &decoding, &w, &x, norm, words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, rotary: Option<&Rotary>, decoding: &Decoding, index: usize) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_epsilon, x);
    let attention = |x: &Tensor| self_attention(cfg, &w.pp("self_attention"), x, rotary, decoding, index);
    let feed_forward = |x: &Tensor| {
        let h = cfg.activation.of(&linear_if(&w.pp("mlp.dense_h_to_4h"), x, cfg.bias));
        linear_if(&w.pp("mlp.dense_4h_to_h"), &h, cfg.bias)
    };
    if cfg.two_norms() {
        return x + attention(&norm("ln_attn", x)) + feed_forward(&norm("ln_mlp", x));
    }
    let normed = norm("input_layernorm", x);
    let attended = x + attention(&normed);
    let seen = if cfg.parallel_attn { normed } else { norm("post_attention_layernorm", &attended) };
    attended + feed_forward(&seen)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, rotary: Option<&Rotary>, decoding: &Decoding, index: usize) -> Tensor {
    let (heads, groups, size) = (cfg.num_attention_heads, cfg.groups(), cfg.head_size());
    let queries = size * (heads / groups.max(1));
    let fused = linear_if(&w.pp("query_key_value"), x, cfg.bias);
    let [query, key, value] = ungroup(&fused, groups, [queries, size, size]);
    let turned = |x: Tensor, heads: usize| rotary.map_or(x.clone(), |rotary| rotary.of(&x, heads));
    let how = CachedAttention::new(heads, groups, size);
    let attended = cached_attention(decoding, index, &how, &turned(query, heads), &turned(key, groups), &value);
    linear_if(&w.pp("dense"), &attended, cfg.bias)
}

/// Linear biases as the model was trained with: multiplied in 16 bits, and scaled like the scores.
fn alibi(cfg: &Config, keys: &Tensor) -> Tensor {
    let slopes = alibi_slopes(keys.graph(), cfg.num_attention_heads, 8.0);
    let rounded = |x: &Tensor| x.cast(Dtype::BF16).cast(Dtype::F32);
    rounded(&(rounded(&slopes) * rounded(keys))) * scale(cfg.head_size())
}

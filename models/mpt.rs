//! MPT: a decoder whose norms and layers have no bias, and that knows positions by linear biases on the scores of attention.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, attention::ungroup, cached::alibi_slopes, cached_attention, layer_norm_if, linear_no_bias,
    },
};
use serde::Deserialize;
use serde_json::Value;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mpt", Head::DECODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    d_model: usize,
    n_heads: usize,
    n_layers: usize,
    layer_norm_epsilon: f32,
    attn_config: Attention,
    logit_scale: Option<Value>,
    tie_word_embeddings: bool,
}

/// `attn_config`
#[derive(Deserialize)]
#[serde(default)]
struct Attention {
    alibi: bool,
    alibi_bias_max: f32,
    /// Queries, keys and values are cut off at it.
    clip_qkv: Option<f32>,
    softmax_scale: Option<f32>,
    attn_type: String,
    prefix_lm: bool,
    qk_ln: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 2048,
            n_heads: 16,
            n_layers: 24,
            layer_norm_epsilon: 1e-5,
            attn_config: Attention::default(),
            logit_scale: None,
            tie_word_embeddings: true,
        }
    }
}

impl Default for Attention {
    fn default() -> Self {
        Self {
            alibi: true,
            alibi_bias_max: BIAS_MAX,
            clip_qkv: None,
            softmax_scale: None,
            attn_type: "multihead_attention".into(),
            prefix_lm: false,
            qk_ln: false,
        }
    }
}

/// The only `alibi_bias_max` that Transformers computes with.
const BIAS_MAX: f32 = 8.0;

impl Config {
    /// An error for what models of this name can ask for, but not of Transformers.
    fn check(&self) -> Result<()> {
        let attention = &self.attn_config;
        let unknown = [
            ("attn_config.alibi", !attention.alibi),
            ("attn_config.alibi_bias_max", attention.alibi_bias_max != BIAS_MAX),
            ("attn_config.attn_type", attention.attn_type != "multihead_attention"),
            ("attn_config.prefix_lm", attention.prefix_lm),
            ("attn_config.qk_ln", attention.qk_ln),
            ("logit_scale", self.logit_scale.is_some()),
        ];
        let Some((field, _)) = unknown.iter().find(|(_, asked)| *asked) else { return Ok(()) };
        Err(Error::unsupported(format!("config.json: {field}: only the usual value is known, and this model has another")))
    }
}

const USUAL_NAMES: &[(&str, &str)] = &[("hidden_size", "d_model"), ("num_attention_heads", "n_heads"), ("num_hidden_layers", "n_layers")];

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(USUAL_NAMES)?;
    cfg.check()?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let slopes = alibi_slopes(&graph, cfg.n_heads, BIAS_MAX);
    let decoding = heads::decoding(request, &graph).with_bias(|keys| slopes * keys.cast(Dtype::F32));

    let x = decoding.embedded(&base.pp("wte"));
    let x = base.layers("blocks", cfg.n_layers).enumerate().fold(x, |x, (i, w)| layer(&cfg, &w, &x, &decoding, i));
    let words = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("wte"), hidden);
    heads::answer(request, &decoding, &w, &x, |x| norm(&cfg, &base.pp("norm_f"), x), words);
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let x = x + self_attention(cfg, &w.pp("attn"), &norm(cfg, &w.pp("norm_1"), x), decoding, index);
    let h = Activation::Gelu.of(&linear_no_bias(&w.pp("ffn.up_proj"), &norm(cfg, &w.pp("norm_2"), &x)));
    x + linear_no_bias(&w.pp("ffn.down_proj"), &h)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let fused = linear_no_bias(&w.pp("Wqkv"), x);
    // As in Transformers, 0 cuts off nothing.
    let fused = cfg.attn_config.clip_qkv.filter(|most| *most != 0.0).map_or_else(|| fused.clone(), |most| fused.clip(-most, most));
    let [query, key, value] = ungroup(&fused, 1, [cfg.d_model; 3]);
    let how = CachedAttention::new(cfg.n_heads, cfg.n_heads, cfg.d_model / cfg.n_heads.max(1));
    let how = CachedAttention { scale: cfg.attn_config.softmax_scale.unwrap_or(how.scale), ..how };
    linear_no_bias(&w.pp("out_proj"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

fn norm(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    layer_norm_if(w, cfg.layer_norm_epsilon, x, false)
}

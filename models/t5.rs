//! T5 (<https://arxiv.org/abs/1910.10683>): an encoder and a decoder that know positions by a bias on the scores of attention, for the
//! distance from token to token. Scores are not scaled.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, attention, embedding, linear_no_bias, relative, rms_norm},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    architecture::{Architecture, Head, Request},
    heads, inputs,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "t5", base: "transformer", heads: HEADS, build };

pub(crate) const HEADS: &[Head] = &[Head::Base, Head::TokenClassification];

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) d_model: usize,
    pub(crate) num_heads: usize,
    pub(crate) num_layers: usize,
    pub(crate) relative_attention_num_buckets: usize,
    pub(crate) relative_attention_max_distance: i64,
    pub(crate) layer_norm_epsilon: f32,
    feed_forward_proj: FeedForward,
    /// These two say the same as `feed_forward_proj`, and go first where they are there.
    dense_act_fn: Option<Activation>,
    is_gated_act: Option<bool>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 512,
            num_heads: 8,
            num_layers: 6,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: FeedForward { act: Activation::Relu, gated: false },
            dense_act_fn: None,
            is_gated_act: None,
        }
    }
}

/// `feed_forward_proj`: an activation function, or `gated-` and one.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct FeedForward {
    act: Activation,
    gated: bool,
}

impl TryFrom<String> for FeedForward {
    type Error = serde_json::Error;

    fn try_from(name: String) -> serde_json::Result<Self> {
        let gated = name.strip_prefix("gated-");
        // As in Transformers, GELU is the one with tanh where it is a gate.
        let act = if gated == Some("gelu") { "gelu_new" } else { gated.unwrap_or(&name) };
        Ok(Self { act: serde_json::from_value(json!(act))?, gated: gated.is_some() })
    }
}

/// Which layers have a table of biases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// The first, whose biases all layers add.
    First,
    /// Each its own.
    Each,
}

/// No model looks further; a config that says so would take all memory.
const MOST_DISTANCE: i64 = 1 << 16;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::read(request, &json!({}))?;
    build_with(request, &cfg, &|base, text| encoder(&cfg, base, text, Tables::First))
}

impl Config {
    /// config.json, with these values for fields that it leaves out.
    pub(crate) fn read(request: &Request, defaults: &Value) -> Result<Self> {
        let cfg: Self = request.config_over(defaults)?;
        if !(1..=MOST_DISTANCE).contains(&cfg.relative_attention_max_distance) {
            let distance = cfg.relative_attention_max_distance;
            return Err(Error::config(format!("config.json: relative_attention_max_distance: {distance} makes no sense")));
        }
        Ok(cfg)
    }

    /// What attention adds for the distances from queries to keys: the row of each in a table of [`relative::bias`].
    pub(crate) fn bucket(&self, distance: i64) -> i64 {
        relative::bucket(distance, self.relative_attention_num_buckets as i64, self.relative_attention_max_distance)
    }
}

/// A model of this family, whose encoder makes hidden states in this way, of the weights and the text.
pub(crate) fn build_with(request: &Request, _cfg: &Config, encoder: &dyn Fn(&Weights, &inputs::Text) -> Tensor) -> Result<Vec<Body>> {
    let (graph, w) = request.graph("model");
    let base = w.base("transformer");
    base.skip("decoder");
    let text = inputs::Text::new(&graph);
    let hidden = encoder(&base, &text);
    heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?;
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// The scope of the embeddings: one table for all, that checkpoints may have under several names.
pub(crate) fn words(w: &Weights) -> Weights {
    let names = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"];
    names.iter().skip(1).for_each(|name| w.skip(name));
    names.map(|name| w.pp(name)).into_iter().find(|scope| scope.has("weight")).unwrap_or_else(|| w.pp("shared"))
}

pub(crate) fn encoder(cfg: &Config, w: &Weights, text: &inputs::Text, tables: Tables) -> Tensor {
    let mask = |layer: &Weights| {
        let table = table(cfg, &layer.pp("SelfAttention.relative_attention_bias"));
        let distances = relative::bias(&table, &text.length(), cfg.relative_attention_max_distance, |d| cfg.bucket(d));
        Mask::padding(&text.attention_mask).with_bias(&distances)
    };
    let first = mask(&w.pp("encoder.block.0.layer.0"));
    layers(cfg, w, text, |w, x| {
        let attends = w.pp("SelfAttention");
        match tables {
            Tables::First => self_attention(cfg, &attends, x, &first),
            Tables::Each => self_attention(cfg, &attends, x, &mask(w)),
        }
    })
}

/// An encoder's hidden states, with this way to attend.
pub(crate) fn layers(cfg: &Config, w: &Weights, text: &inputs::Text, attention: impl Fn(&Weights, &Tensor) -> Tensor) -> Tensor {
    let norm = |w: &Weights, x: &Tensor| rms_norm(w, cfg.layer_norm_epsilon, x);
    let x = embedding(&words(w), &text.input_ids);
    let w = w.pp("encoder");
    let x = w.layers("block", cfg.num_layers).fold(x, |x, w| {
        let (attends, feeds) = (w.pp("layer.0"), w.pp("layer.1"));
        let x = &x + attention(&attends, &norm(&attends.pp("layer_norm"), &x));
        feed_forward(cfg, &feeds, &x)
    });
    norm(&w.pp("final_layer_norm"), &x)
}

/// Biases by bucket, `(buckets, heads)`.
pub(crate) fn table(cfg: &Config, w: &Weights) -> Tensor {
    w.get("weight", &[cfg.relative_attention_num_buckets, cfg.num_heads])
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let [query, key, value] = ["q", "k", "v"].map(|name| linear_no_bias(&w.pp(name), x));
    linear_no_bias(&w.pp("o"), &attention(&query, &key, &value, cfg.num_heads, 1.0, mask))
}

pub(crate) fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let act = cfg.dense_act_fn.unwrap_or(cfg.feed_forward_proj.act);
    let normed = rms_norm(&w.pp("layer_norm"), cfg.layer_norm_epsilon, x);
    let w = w.pp("DenseReluDense");
    let h = if cfg.is_gated_act.unwrap_or(cfg.feed_forward_proj.gated) {
        act.of(&linear_no_bias(&w.pp("wi_0"), &normed)) * linear_no_bias(&w.pp("wi_1"), &normed)
    } else {
        act.of(&linear_no_bias(&w.pp("wi"), &normed))
    };
    x + linear_no_bias(&w.pp("wo"), &h)
}

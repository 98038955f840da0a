//! T5 (<https://arxiv.org/abs/1910.10683>): an encoder and a decoder that know positions by a bias on the scores of attention, for the
//! distance from token to token. Scores are not scaled.

mod stacks;

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CrossAttention, Decoding, Source, cross, linear, relative},
};
use serde::Deserialize;
use serde_json::{Value, json};
pub(crate) use stacks::{Tables, encoder, layers, table};

use crate::{
    Architecture, Head, Request,
    bart::{at_the_last, behind},
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("t5", HEADS, build).generation(&[("pad_token_id", 0), ("eos_token_id", 1)]);

pub(crate) const HEADS: &[Head] =
    &[Head::Base, Head::SequenceClassification, Head::TokenClassification, Head::QuestionAnswering, Head::Seq2SeqLm];

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    d_model: usize,
    d_kv: usize,
    pub(crate) num_heads: usize,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    relative_attention_num_buckets: usize,
    pub(crate) relative_attention_max_distance: i64,
    pub(crate) layer_norm_epsilon: f32,
    feed_forward_proj: FeedForward,
    /// These two say the same as `feed_forward_proj`, and go first where they are there.
    dense_act_fn: Option<Activation>,
    is_gated_act: Option<bool>,
    /// Whether hidden states are scaled before the head. Version 4 of Transformers does it where the words are tied to it, which version
    /// 5 says apart, and always ties where the checkpoint has no head.
    scale_decoder_outputs: Option<bool>,
    tie_word_embeddings: bool,
    eos_token_id: Option<i64>,
    decoder_start_token_id: Option<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 512,
            d_kv: 64,
            num_heads: 8,
            num_layers: 6,
            num_decoder_layers: None,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: FeedForward { act: Activation::Relu, gated: false },
            dense_act_fn: None,
            is_gated_act: None,
            scale_decoder_outputs: None,
            tie_word_embeddings: true,
            eos_token_id: Some(1),
            decoder_start_token_id: Some(0),
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

/// No model looks further; a config that says so would take all memory.
const MOST_DISTANCE: i64 = 1 << 16;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::read(request, &json!({}))?;
    graphs(request, &cfg, Tables::First, &|base, text| encoder(&cfg, base, text, Tables::First))
}

impl Config {
    /// `config.json`, with these values for fields that it leaves out.
    pub(crate) fn read(request: &Request, defaults: &Value) -> Result<Self> {
        let cfg: Self = request.config_over(defaults)?;
        if !(1..=MOST_DISTANCE).contains(&cfg.relative_attention_max_distance) {
            let distance = cfg.relative_attention_max_distance;
            return Err(Error::config(format!("config.json: relative_attention_max_distance: {distance} makes no sense")));
        }
        Ok(cfg)
    }

    /// The row of a table of biases for a distance `key - query`.
    pub(crate) fn bucket(&self, distance: i64) -> i64 {
        relative::bucket(distance, self.relative_attention_num_buckets as i64, self.relative_attention_max_distance)
    }
    /// The same where keys are never behind their query, for a distance `query - key`.
    fn bucket_back(&self, distance: i64) -> i64 {
        relative::bucket_back(distance, self.relative_attention_num_buckets as i64, self.relative_attention_max_distance)
    }

    /// How the decoder looks at the encoder's text.
    fn cross(&self) -> CrossAttention {
        CrossAttention { heads: self.num_heads, size: self.d_kv, scale: 1.0 }
    }

    fn num_decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }
}

/// What an encoder makes of a text, with the weights of the base model.
pub(crate) type Encoder<'a> = &'a dyn Fn(&Weights, &inputs::Text) -> Tensor;

/// The graphs of a model of this family; `tables` are those of its decoder.
pub(crate) fn graphs(request: &Request, cfg: &Config, tables: Tables, encoder: Encoder) -> Result<Vec<Body>> {
    match request.head {
        Head::Seq2SeqLm => Ok(vec![encoder_graph(request, cfg, encoder)?, decoder_graph(request, cfg, tables)?]),
        Head::SequenceClassification | Head::QuestionAnswering => Ok(vec![whole_graph(request, cfg, tables, encoder)?]),
        _ => Ok(vec![text_graph(request, encoder)?]),
    }
}

/// The encoder alone.
fn text_graph(request: &Request, encoder: Encoder) -> Result<Body> {
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let text = inputs::Text::new(&graph);
    let hidden = encoder(&base, &text);
    heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?;
    request.finish(graph, &w, &base.pp("encoder"))
}

/// Reads a text once: its hidden states, and what every layer of the decoder will look at.
fn encoder_graph(request: &Request, cfg: &Config, encoder: Encoder) -> Result<Body> {
    let (graph, w) = request.graph_of("encoder_model");
    let text = inputs::Text::new(&graph);
    let hidden = encoder(&w, &text);
    graph.output("last_hidden_state", &hidden);
    for (i, w) in w.pp("decoder").layers("block", cfg.num_decoder_layers()).enumerate() {
        cross::keep(&graph, i, &cfg.cross(), stacks::keys_and_values(&w.pp("layer.1.EncDecAttention"), &hidden));
    }
    request.finish(graph, &w, &w.pp("encoder"))
}

/// Writes, looking at what the encoder gave.
fn decoder_graph(request: &Request, cfg: &Config, tables: Tables) -> Result<Body> {
    let (graph, w) = request.graph_of("decoder_model_merged");
    let decoding = Decoding::new(&graph).beside_encoder();
    let source = Source::kept_from(&decoding, cfg.num_heads.saturating_mul(cfg.d_kv), cfg.d_model);
    let hidden = stacks::decoder(cfg, &w, &decoding.input_ids(), &decoding, &source, tables, |x| decoding.at_the_end(x));
    let scales = cfg.scale_decoder_outputs.unwrap_or(cfg.tie_word_embeddings);
    let hidden = if scales { hidden / (cfg.d_model as f32).sqrt() } else { hidden };
    graph.output("logits", &heads::decoder(&w, "lm_head", true, &stacks::words(&w), &hidden));
    request.finish(graph, &w, &w.pp("decoder"))
}

/// Both in one, for heads that see whole texts: the decoder reads the text once more, a token behind.
fn whole_graph(request: &Request, cfg: &Config, tables: Tables, encoder: Encoder) -> Result<Body> {
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let decoding = Decoding::whole(&graph, None);
    let (ids, mask) = (&decoding.input_ids(), &decoding.attention_mask);
    let source = Source::of(&encoder(&base, &inputs::Text::of(ids, mask)), mask);
    let classifies = request.head == Head::SequenceClassification;
    let wanted = |x: &Tensor| if classifies { at_the_last(x, ids, cfg.eos_token_id) } else { x.clone() };
    let start = graph.ints(&[1, 1], &[cfg.decoder_start_token_id.unwrap_or(0)]);
    let hidden = stacks::decoder(cfg, &base, &behind(&start, ids), &decoding, &source, tables, wanted);
    if classifies {
        let w = w.pp("classification_head");
        graph.output("logits", &linear(&w.pp("out_proj"), &linear(&w.pp("dense"), &hidden).tanh()));
    } else {
        heads::spans(&graph, &w.pp("qa_outputs"), &hidden);
    }
    request.finish(graph, &w, &base)
}

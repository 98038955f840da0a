//! LongT5 (<https://arxiv.org/abs/2112.07916>): T5 for long texts, whose encoder attends to what is near, and perhaps to sums of blocks
//! of the whole text.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Neighbours, linear_no_bias, relative, rms_norm, unless},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::inputs,
    t5::{self, Config, Tables},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("longt5", &[Head::Base, Head::Seq2SeqLm], build).generation(&[("pad_token_id", 0), ("eos_token_id", 1)]);

#[derive(Deserialize)]
#[serde(default)]
struct Long {
    encoder_attention_type: Kind,
    local_radius: usize,
    global_block_size: usize,
}

impl Default for Long {
    fn default() -> Self {
        Self { encoder_attention_type: Kind::Local, local_radius: 127, global_block_size: 16 }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Local,
    TransientGlobal,
}

impl Kind {
    /// The name of the layer.
    fn layer(self) -> &'static str {
        match self {
            Self::Local => "LocalSelfAttention",
            Self::TransientGlobal => "TransientGlobalSelfAttention",
        }
    }
}

/// No model has more; a config that says so would take all memory.
const MOST: usize = 1 << 12;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::read(request, &json!({}))?;
    let long: Long = request.config()?;
    for (field, size) in [("local_radius", long.local_radius), ("global_block_size", long.global_block_size)] {
        if !(1..=MOST).contains(&size) {
            return Err(Error::config(format!("config.json: {field}: {size} makes no sense")));
        }
    }
    t5::graphs(request, &cfg, Tables::First, &|base, text| encoder(&cfg, &long, base, text))
}

fn encoder(cfg: &Config, long: &Long, w: &Weights, text: &inputs::Text) -> Tensor {
    let near = Neighbours::new(&text.attention_mask, long.local_radius + 1);
    let kind = long.encoder_attention_type;
    let first = w.pp("encoder.block.0.layer.0").pp(kind.layer());
    let table = t5::table(cfg, &first.pp("relative_attention_bias"));
    let distances = relative::at(&table, &near.distances(), cfg.relative_attention_max_distance, |d| cfg.bucket(d));
    let bias = distances.transpose(&[2, 0, 1]) + near.mask(long.local_radius);
    let globals = (kind == Kind::TransientGlobal).then(|| Globals::new(cfg, long.global_block_size, &first, text));
    let bias = globals.as_ref().map_or_else(|| bias.clone(), |globals| near.beside(&bias, &globals.bias));
    t5::layers(cfg, w, text, |w, x| {
        let w = w.pp(kind.layer());
        let [query, key, value] = ["q", "k", "v"].map(|name| linear_no_bias(&w.pp(name), x));
        let others = globals.as_ref().map(|globals| {
            let sums = rms_norm(&w.pp("global_input_layer_norm"), cfg.layer_norm_epsilon, &globals.sums(x));
            ["k", "v"].map(|name| linear_no_bias(&w.pp(name), &sums))
        });
        linear_no_bias(&w.pp("o"), &near.attention(cfg.num_heads, 1.0, [&query, &key, &value], others.as_ref(), &bias))
    })
}

/// The sums of blocks of a text, which every token sees. Tokens behind the last whole block belong to it.
struct Globals {
    /// 1 where a token belongs to a block, `(batch, sequence, blocks)`.
    members: Tensor,
    /// What attention to them adds, `(batch, heads, sequence, blocks)`.
    bias: Tensor,
}

impl Globals {
    fn new(cfg: &Config, size: usize, first: &Weights, text: &inputs::Text) -> Self {
        let (graph, mask) = (text.input_ids.graph(), &text.attention_mask);
        let whole = graph.ints(&[1], &[size as i64]);
        let places = graph.range(&text.length());
        // The last whole block of each row, -1 where it has none.
        let ends = places.modulo(&whole).equal(&graph.ints(&[1], &[size as i64 - 1])).cast(Dtype::I64);
        let last = (ends.unsqueeze(&[0]) * mask).sum(&[1], true) - 1.0;
        let block = (&places / &whole).unsqueeze(&[0]).min(&last);
        // Padding belongs to none: its block is -1.
        let block = ((block + 1.0) * mask - 1.0).unsqueeze(&[2]);
        let count = (text.length() / &whole).max(&graph.ints(&[1], &[1]));
        let blocks = graph.range(&count);
        let table = t5::table(cfg, &first.pp("global_relative_attention_bias"));
        let distances = &blocks - &block;
        let bias = relative::at(&table, &distances, cfg.relative_attention_max_distance, |d| cfg.bucket(d)).transpose(&[0, 3, 1, 2]);
        let there = blocks.unsqueeze(&[0]).less_or_equal(&last).unsqueeze(&[1, 2]);
        Self { members: block.equal(&blocks).cast(graph.float()), bias: bias + unless(&there) }
    }

    fn sums(&self, x: &Tensor) -> Tensor {
        self.members.transpose(&[0, 2, 1]).matmul(x)
    }
}

//! LongT5 (<https://arxiv.org/abs/2112.07916>): T5 for long texts, whose encoder attends to what is near, and perhaps to sums of blocks
//! of the whole text.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Graph, Size, Tensor},
    layers::{linear_no_bias, relative, rms_norm, unless},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    inputs,
    t5::{self, Config},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "longt5", base: "transformer", heads: &[Head::Base], build };

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
    t5::build_with(request, &cfg, &|base, text| encoder(&cfg, &long, base, text))
}

fn encoder(cfg: &Config, long: &Long, w: &Weights, text: &inputs::Text) -> Tensor {
    let blocks = Blocks::new(text, long.local_radius + 1);
    let kind = long.encoder_attention_type;
    let first = w.pp("encoder.block.0.layer.0").pp(kind.layer());
    let near = blocks.near(cfg, &first);
    let globals = (kind == Kind::TransientGlobal).then(|| Globals::new(cfg, long.global_block_size, &first, text));
    let bias = globals.as_ref().map_or_else(|| near.clone(), |globals| blocks.beside(&near, &globals.bias));
    t5::layers(cfg, w, text, |w, x| {
        let w = w.pp(kind.layer());
        let [query, key, value] = ["q", "k", "v"].map(|name| linear_no_bias(&w.pp(name), x));
        let others = globals.as_ref().map(|globals| {
            let sums = rms_norm(&w.pp("global_input_layer_norm"), cfg.layer_norm_epsilon, &globals.sums(x));
            ["k", "v"].map(|name| linear_no_bias(&w.pp(name), &sums))
        });
        linear_no_bias(&w.pp("o"), &blocks.attention(cfg.num_heads, [&query, &key, &value], others.as_ref(), &bias))
    })
}

/// A text in blocks of one length, each of which attends to itself and to its neighbours.
struct Blocks<'a> {
    graph: &'a Graph,
    text: &'a inputs::Text,
    length: usize,
    /// How many.
    count: Tensor,
    /// How many places the last one has behind the text.
    rest: Tensor,
}

impl<'a> Blocks<'a> {
    fn new(text: &'a inputs::Text, length: usize) -> Self {
        let graph = text.input_ids.graph();
        let one = graph.ints(&[1], &[length as i64]);
        let count = (text.length() + (length - 1) as f32) / &one;
        let rest = &count * one - text.length();
        Self { graph, text, length, count, rest }
    }

    /// `(batch, sequence, …)` as `(batch, blocks, length, …)`, with zeros behind the text.
    fn split(&self, x: &Tensor) -> Tensor {
        self.apart(&self.graph.concat(&[x, &self.zeros(x, &self.rest)], 1))
    }

    /// The same with the block before and the block after: `(batch, blocks, 3 · length, …)`.
    fn with_neighbours(&self, x: &Tensor) -> Tensor {
        let block = self.length as i64;
        let before = self.zeros(x, &self.graph.ints(&[1], &[block]));
        let all = self.graph.concat(&[&before, x, &self.zeros(x, &(&self.rest + block as f32))], 1);
        let three = [0, 1, 2].map(|i| {
            let (start, end) = (i * block, (i - 2) * block);
            self.apart(&all.slice(1, start, if end == 0 { i64::MAX } else { end }))
        });
        self.graph.concat(&three.iter().collect::<Vec<_>>(), 2)
    }

    fn zeros(&self, x: &Tensor, count: &Tensor) -> Tensor {
        let mut shape: Vec<Size> = vec![x.dim(0).into(), count.into()];
        shape.extend((2..x.rank()).map(|axis| Size::from(x.fixed(axis as i64))));
        self.graph.full(&shape, 0.0, x.dtype())
    }

    fn apart(&self, x: &Tensor) -> Tensor {
        let mut shape: Vec<Size> = vec![0i64.into(), (&self.count).into(), self.length.into()];
        shape.extend((2..x.rank()).map(|axis| Size::from(x.fixed(axis as i64))));
        x.reshape(&shape)
    }

    /// What attention to the neighbours adds: biases for distances, and what is too far away or padding, `(batch, blocks, heads,
    /// length, 3 · length)`.
    fn near(&self, cfg: &Config, first: &Weights) -> Tensor {
        let places = |count: usize| self.graph.range(&self.graph.ints(&[1], &[count as i64]));
        let distance = (places(3 * self.length) - self.length as f32).unsqueeze(&[0]) - places(self.length).unsqueeze(&[1]);
        let table = t5::table(cfg, &first.pp("relative_attention_bias"));
        let bias = relative::at(&table, &distance, cfg.relative_attention_max_distance, |d| cfg.bucket(d)).transpose(&[2, 0, 1]);
        let near = distance.abs().less(&self.graph.ints(&[], &[self.length as i64]));
        let tokens = self.with_neighbours(&self.text.attention_mask).cast(Dtype::Bool).unsqueeze(&[2, 3]);
        bias + unless(&near.and(&tokens))
    }

    /// Biases for neighbours, and for others, `(batch, heads, sequence, others)`, behind one another.
    fn beside(&self, near: &Tensor, others: &Tensor) -> Tensor {
        // The axis of the sequence is split, which must be the second.
        let by_token = others.transpose(&[0, 2, 1, 3]);
        let zeros = {
            let shape = [by_token.dim(0), self.rest.clone(), by_token.dim(2), by_token.dim(3)].map(Size::from);
            self.graph.full(&shape, 0.0, by_token.dtype())
        };
        let padded = self.graph.concat(&[&by_token, &zeros], 1);
        let split = padded.reshape(&[0i64.into(), (&self.count).into(), self.length.into(), by_token.dim(2).into(), (-1i64).into()]);
        self.graph.concat(&[near, &split.transpose(&[0, 1, 3, 2, 4])], -1)
    }

    /// Attention of each block to its neighbours, and to keys and values, `(batch, others, width)`, that all blocks see.
    fn attention(&self, heads: usize, [query, key, value]: [&Tensor; 3], others: Option<&[Tensor; 2]>, bias: &Tensor) -> Tensor {
        let size = query.fixed(-1) / heads.max(1);
        let apart = |x: &Tensor| x.reshape(&[0i64.into(), 0i64.into(), 0i64.into(), heads.into(), size.into()]).transpose(&[0, 1, 3, 2, 4]);
        let seen = |x: &Tensor, i: usize| {
            let near = apart(&self.with_neighbours(x));
            let Some(others) = others else { return near };
            let others = apart(&others[i].unsqueeze(&[1]));
            let shape = [1i64.into(), (&self.count).into(), 1i64.into(), 1i64.into(), 1i64.into()];
            self.graph.concat(&[&near, &others.expand(&shape)], 3)
        };
        let scores = apart(&self.split(query)).matmul_transposed(&seen(key, 0), 1.0) + bias;
        let attended = scores.softmax(-1).matmul(&seen(value, 1)).transpose(&[0, 1, 3, 2, 4]);
        let flat = attended.reshape(&[0i64.into(), (-1i64).into(), query.fixed(-1).into()]);
        flat.slice_steps(1, &0i64.into(), &self.text.length().into(), 1)
    }
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

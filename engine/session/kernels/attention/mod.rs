//! Attention of decoders, `GroupQueryAttention`: exact, in 32 bits, without ever having all scores in memory.
//!
//! The queries of all heads that share a head of keys go together, in blocks of rows ([`block`]). A block passes over the keys 64 at a time
//! and over the values right behind: products come from tiles in registers ([`avx512`]), and the softmax of a row is kept as its largest
//! score so far, the sum and the weighted values relative to it. Each 128 keys have their own, which are put together in order: so that many
//! threads can share one token's past, and a row has the same result in any batch, in any part of a prompt, on any number of threads.

mod avx512;
mod block;
mod cache;
mod inputs;
mod operator;
mod rotary;
#[cfg(test)]
mod tests;

pub(super) use operator::GroupQueryAttention;

use super::pool::{Failed, Pool};
use cache::Cache;
use rotary::Rotary;

/// The sizes of one run.
#[derive(Clone, Copy, Debug)]
struct Shape {
    batch: usize,
    /// Tokens of this run, in each row of the batch.
    sequence: usize,
    /// Those of them with keys and values of their own: all, or none where another layer has written those.
    fresh: usize,
    /// Heads of the queries.
    heads: usize,
    /// Heads of keys and values.
    kv_heads: usize,
    /// The width of a head.
    size: usize,
}

impl Shape {
    /// Heads that share keys and values.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// Heads of queries, keys or values as they come: `(batch, sequence, ..)`, of which these are some columns.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    width: usize,
    first: usize,
}

impl<'a> Rows<'a> {
    /// A head of a token.
    fn head(&self, token: usize, head: usize, size: usize) -> &'a [f32] {
        self.values.get(token * self.width + self.first + head * size..).and_then(|rest| rest.get(..size)).unwrap_or_default()
    }
}

/// Which places of the cache a row of the batch has.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// So many tokens are in the cache already: this run's come behind them.
    kept: usize,
    /// The place of the first query.
    start: usize,
    /// So many tokens there are with this run's; what follows is padding.
    end: usize,
}

/// What happens to scores.
#[derive(Clone, Copy)]
struct Scores<'a> {
    scale: f32,
    /// 0 for none.
    softcap: f32,
    /// How many tokens back a token sees, itself included.
    window: Option<usize>,
    bias: Option<Bias<'a>>,
    sinks: Sinks<'a>,
}

/// A key that every token sees, and that has no value.
#[derive(Clone, Copy)]
enum Sinks<'a> {
    None,
    /// Of score 0.
    Zero,
    /// Of a score for each head.
    Each(&'a [f32]),
}

/// `(batch or 1, heads or 1, sequence, total)`, added to scores.
#[derive(Clone, Copy)]
struct Bias<'a> {
    values: &'a [f32],
    batch: usize,
    heads: usize,
    total: usize,
}

/// One run of the operator, with sizes that fit each other: [`inputs`] has looked.
struct Attention<'a> {
    shape: Shape,
    query: Rows<'a>,
    key: Rows<'a>,
    value: Rows<'a>,
    keys: Cache,
    values: Cache,
    /// For each row of the batch.
    spans: Vec<Span>,
    rotary: Option<Rotary<'a>>,
    scores: Scores<'a>,
}

impl Attention<'_> {
    /// Writes this run's keys and values behind those before, then `(batch, sequence, heads · size)`.
    fn run(&self, output: &mut [f32], pool: &Pool) -> Result<(), Failed> {
        self.store(pool)?;
        block::attend(self, output, pool)
    }

    /// The places in the cache that a query sees.
    fn sees(&self, row: usize, token: usize) -> std::ops::Range<usize> {
        let Some(span) = self.spans.get(row) else { return 0..0 };
        let end = span.end.min(span.start + token + 1);
        self.scores.window.map_or(0, |window| end.saturating_sub(window))..end
    }
}

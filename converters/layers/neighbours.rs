//! Attention of each token to those near it, for texts in which all pairs of tokens would be too many.

use super::unless;
use crate::{
    Dtype,
    graph::{Graph, Size, Tensor},
};

/// A text in blocks of one length, each of which attends to itself, to the block before and to the block after it.
pub struct Neighbours {
    graph: Graph,
    /// `(batch, sequence)`: 0 where a token is padding.
    attention_mask: Tensor,
    length: usize,
    /// How many blocks.
    count: Tensor,
    /// How many places the last block has behind the text.
    rest: Tensor,
}

impl Neighbours {
    /// Blocks of so many tokens, at least one.
    pub fn new(attention_mask: &Tensor, length: usize) -> Self {
        let graph = attention_mask.graph().clone();
        let length = length.max(1);
        let (tokens, one) = (attention_mask.dim(1), graph.ints(&[1], &[length as i64]));
        let count = (&tokens + (length - 1) as f32) / &one;
        let rest = &count * one - tokens;
        Self { attention_mask: attention_mask.clone(), graph, length, count, rest }
    }

    /// The distances `key - query` of a block's tokens, `(length, 3 · length)`.
    pub fn distances(&self) -> Tensor {
        let places = |count: usize| self.graph.range(&self.graph.ints(&[1], &[count as i64]));
        (places(3 * self.length) - self.length as f32).unsqueeze(&[0]) - places(self.length).unsqueeze(&[1])
    }

    /// What is added to scores so that tokens see others up to `reach` away, and no padding: `(batch, blocks, 1, length, 3 · length)`.
    pub fn mask(&self, reach: usize) -> Tensor {
        let reach = i64::try_from(reach).unwrap_or(i64::MAX);
        let near = self.distances().abs().less_or_equal(&self.graph.ints(&[], &[reach]));
        let tokens = self.with_neighbours(&self.attention_mask).cast(Dtype::Bool).unsqueeze(&[2, 3]);
        unless(&near.and(&tokens))
    }

    /// What is added to the scores of neighbours, as [`Neighbours::mask`] gives it, and behind it what is added to those of others that
    /// every token sees, `(batch, heads, sequence, others)`.
    pub fn beside(&self, near: &Tensor, others: &Tensor) -> Tensor {
        // The axis of the sequence is split, which must be the second.
        let split = self.split(&others.transpose(&[0, 2, 1, 3]));
        self.graph.concat(&[near, &split.transpose(&[0, 1, 3, 2, 4])], -1)
    }

    /// `softmax(scale · q kᵀ + bias) v` for each head, of keys and values near a query, and perhaps of `others`, `(batch, others, width)`.
    ///
    /// `query`, `key`, `value` and the result are `(batch, sequence, heads · size)`; `bias` is what [`Neighbours::mask`] or
    /// [`Neighbours::beside`] gives.
    pub fn attention(
        &self,
        heads: usize,
        scale: f32,
        [query, key, value]: [&Tensor; 3],
        others: Option<&[Tensor; 2]>,
        bias: &Tensor,
    ) -> Tensor {
        let size = query.fixed(-1) / heads.max(1);
        let apart = |x: &Tensor| x.reshape(&[0i64.into(), 0i64.into(), 0i64.into(), heads.into(), size.into()]).transpose(&[0, 1, 3, 2, 4]);
        let seen = |x: &Tensor, i: usize| {
            let near = apart(&self.with_neighbours(x));
            let Some(others) = others else { return near };
            let shape = [1i64.into(), (&self.count).into(), 1i64.into(), 1i64.into(), 1i64.into()];
            self.graph.concat(&[&near, &apart(&others[i].unsqueeze(&[1])).expand(&shape)], 3)
        };
        let scores = apart(&self.split(query)).matmul_transposed(&seen(key, 0), scale) + bias;
        let attended = scores.softmax(-1).matmul(&seen(value, 1)).transpose(&[0, 1, 3, 2, 4]);
        let flat = attended.reshape(&[0i64.into(), (-1i64).into(), query.fixed(-1).into()]);
        flat.slice_steps(1, &0i64.into(), &self.attention_mask.dim(1).into(), 1)
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
        let three = [(0, -2 * block), (block, -block), (2 * block, i64::MAX)].map(|(start, end)| self.apart(&all.slice(1, start, end)));
        self.graph.concat(&three.iter().collect::<Vec<_>>(), 2)
    }

    fn zeros(&self, x: &Tensor, count: &Tensor) -> Tensor {
        let shape: Vec<Size> = [x.dim(0).into(), count.into()].into_iter().chain(behind(x)).collect();
        self.graph.full(&shape, 0.0, x.dtype())
    }

    fn apart(&self, x: &Tensor) -> Tensor {
        let shape: Vec<Size> = [0i64.into(), (&self.count).into(), self.length.into()].into_iter().chain(behind(x)).collect();
        x.reshape(&shape)
    }
}

/// The sizes of the axes behind the sequence.
fn behind(x: &Tensor) -> impl Iterator<Item = Size> {
    let sizes = x.shape().into_iter().zip(0_i64..).skip(2);
    sizes.map(|(dim, axis)| dim.fixed().map_or_else(|| x.dim(axis).into(), Size::from))
}

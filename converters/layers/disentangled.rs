//! Disentangled attention (<https://arxiv.org/abs/2006.03654>): content looks at relative positions, and relative positions at content.

use super::{attention::split_heads, relative};
use crate::{
    Error,
    graph::{Size, Tensor},
};

/// The rows of a table of relative positions that the tokens of one graph need, found once for all layers.
pub struct Disentangled {
    length: Tensor,
    /// Rows for the distances `length - 1, …, 0, …, -length` of a query from a key.
    falling: Tensor,
    /// Rows for the distances `1 - length, …, 0, …, length`.
    rising: Tensor,
    /// How many rows a table must have.
    rows: i64,
}

impl Disentangled {
    /// `row` gives the row of a table for a distance `query - key`; distances beyond `reach`, to either side, have the row of `reach`.
    pub fn new(length: &Tensor, reach: i64, row: impl Fn(i64) -> i64) -> Self {
        let graph = length.graph();
        let reach = reach.clamp(1, MAX_REACH);
        let rows: Vec<i64> = (-reach..=reach).map(row).collect();
        if rows.iter().any(|row| *row < 0) {
            graph.fail(Error::config("relative positions: a distance has no row"));
        }
        let by_distance = graph.ints(&[rows.len()], &rows);
        let distances = relative::falling(length);
        let at = |distance: Tensor| by_distance.gather(&(distance.clip(-reach as f32, reach as f32) + reach as f32), 0);
        let rows = rows.iter().copied().max().unwrap_or_default().saturating_add(1);
        Self { length: length.clone(), rising: at(-&distances), falling: at(distances), rows }
    }

    /// What attention adds, `(batch, heads, length, length)`: `scale` times `query · pos_keyᵀ` and `key · pos_queryᵀ` at their distances.
    ///
    /// `query` and `key` are `(batch, length, heads · size)`, the tables of projected relative positions `(rows, heads · size)`.
    pub fn bias(
        &self,
        query: &Tensor,
        key: &Tensor,
        pos_key: Option<Tensor>,
        pos_query: Option<Tensor>,
        heads: usize,
        scale: f32,
    ) -> Option<Tensor> {
        let to_positions = pos_key.map(|table| self.products(query, &table, &self.falling, heads, scale));
        let from_positions = pos_query.map(|table| self.products(key, &table, &self.rising, heads, scale).t());
        match (to_positions, from_positions) {
            (Some(to), Some(from)) => Some(to + from),
            (one, other) => one.or(other),
        }
    }

    /// The product of each token with the row of its distance from each other token, `(batch, heads, length, length)`.
    fn products(&self, x: &Tensor, table: &Tensor, rows: &Tensor, heads: usize, scale: f32) -> Tensor {
        let keep = || Size::from(0i64);
        let (width, graph) = (x.fixed(-1), x.graph());
        if heads == 0 || !width.is_multiple_of(heads) || table.fixed(-1) != width || (table.fixed(0) as i64) < self.rows {
            let (rows, table) = (self.rows, (table.fixed(0), table.fixed(-1)));
            graph.fail(Error::config(format!("{heads} heads of width {width} and {rows} distances do not fit a table of {table:?}")));
            return x.clone();
        }
        let size = width / heads;
        // The table is constant up to here, so that ONNX Runtime projects it once, when it loads the graph.
        let table = table.reshape(&[keep(), heads.into(), size.into()]).transpose(&[1, 0, 2]).gather(rows, 1);
        relative::skew(&split_heads(x, heads).matmul_transposed(&table, scale), &self.length)
    }
}

/// No model tells apart distances of more; a config that says so would take all memory.
pub const MAX_REACH: i64 = 1 << 20;

//! Activations in 8 bits.

use super::BLOCK;

/// Rows in blocks of 32 numbers that share a scale.
pub(super) struct Activations {
    /// `[rows, columns]`
    pub(super) values: Vec<i8>,
    /// `[rows, blocks]`
    pub(super) scales: Vec<f32>,
    /// `[rows, blocks]`: the sum of a block's values.
    pub(super) sums: Vec<i32>,
    /// `[rows, blocks]`: that sum, times the middle of what weights are stored as, taken away.
    pub(super) starts: Vec<i32>,
}

/// One row of them.
pub(super) struct Row<'a> {
    pub(super) values: &'a mut [i8],
    pub(super) scales: &'a mut [f32],
    pub(super) sums: &'a mut [i32],
    pub(super) starts: &'a mut [i32],
}

impl Activations {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let blocks = rows * (columns / BLOCK);
        Self { values: vec![0; rows * columns], scales: vec![0.0; blocks], sums: vec![0; blocks], starts: vec![0; blocks] }
    }

    /// Rows to be filled, by however many threads.
    pub(super) fn rows(&mut self, columns: usize) -> impl Iterator<Item = Row<'_>> {
        let blocks = columns / BLOCK;
        let sums = self.sums.chunks_exact_mut(blocks).zip(self.starts.chunks_exact_mut(blocks));
        let parts = self.values.chunks_exact_mut(columns).zip(self.scales.chunks_exact_mut(blocks)).zip(sums);
        parts.map(|((values, scales), (sums, starts))| Row { values, scales, sums, starts })
    }
}

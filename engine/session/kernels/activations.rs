//! Activations in 8 bits.

use std::iter;
use std::sync::{Mutex, PoisonError};

/// The most rows that are multiplied at once.
pub(super) const MOST_ROWS: usize = 12;
/// Numbers of a row that lie together.
pub(super) const UNIT: usize = 8;

/// Rows in blocks of numbers that share a scale.
///
/// They lie in groups of 12, 8, 4, 2 or 1 rows: those that are multiplied at once. Within a group units of 8 numbers lie in the order in which
/// they are read: `[columns / 8, rows of the group, 8]`, and what belongs to a block `[blocks, rows of the group]`.
#[derive(Default)]
pub(super) struct Activations {
    pub(super) rows: usize,
    pub(super) values: Vec<[i8; UNIT]>,
    pub(super) scales: Vec<f32>,
    /// The sum of a block's values.
    pub(super) sums: Vec<i32>,
    /// That sum, times the middle of what weights are stored as, taken away.
    pub(super) starts: Vec<i32>,
}

/// Some rows of them.
pub(super) struct Group<'a> {
    pub(super) rows: usize,
    pub(super) values: &'a mut [[i8; UNIT]],
    pub(super) scales: &'a mut [f32],
    pub(super) sums: &'a mut [i32],
    pub(super) starts: &'a mut [i32],
}

/// Memory of activations that others no longer need: new memory comes page by page, which takes as long as the rounding.
#[derive(Default)]
pub(super) struct Spare(Mutex<Vec<Activations>>);

/// More than this many numbers are not kept.
const MOST_KEPT: usize = 8 << 20;

impl Spare {
    pub(super) fn take(&self) -> Activations {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn keep(&self, activations: Activations) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_empty() && activations.values.len() * UNIT <= MOST_KEPT {
            spare.push(activations);
        }
    }
}

/// How many rows the next group has, where so many are left.
pub(super) fn group(left: usize) -> usize {
    match left {
        0 => 0,
        MOST_ROWS.. => MOST_ROWS,
        8.. => 8,
        4.. => 4,
        2.. => 2,
        1 => 1,
    }
}

impl Activations {
    /// Room for these, in the memory of others. Columns are a multiple of the block, which is one of 8.
    pub(super) fn resize(&mut self, rows: usize, columns: usize, block: usize) {
        let blocks = rows * (columns / block);
        self.rows = rows;
        self.values.resize(rows * columns / UNIT, [0; UNIT]);
        self.scales.resize(blocks, 0.0);
        self.sums.resize(blocks, 0);
        self.starts.resize(blocks, 0);
    }

    /// Groups to be filled, by however many threads.
    pub(super) fn groups(&mut self) -> impl Iterator<Item = Group<'_>> {
        let (units, blocks) = (self.values.len() / self.rows.max(1), self.scales.len() / self.rows.max(1));
        let (mut values, mut scales, mut sums, mut starts) =
            (&mut self.values[..], &mut self.scales[..], &mut self.sums[..], &mut self.starts[..]);
        let (all, mut first) = (self.rows, 0);
        iter::from_fn(move || {
            let rows = group(all - first);
            let group = Group {
                rows,
                values: values.split_off_mut(..rows * units)?,
                scales: scales.split_off_mut(..rows * blocks)?,
                sums: sums.split_off_mut(..rows * blocks)?,
                starts: starts.split_off_mut(..rows * blocks)?,
            };
            first += rows;
            (rows > 0).then_some(group)
        })
    }
}

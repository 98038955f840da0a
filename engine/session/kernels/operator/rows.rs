//! Rows of activations, rounded to 8 bits: as they are, or as the norm of a sum.

use std::sync::{Mutex, PoisonError};

use crate::session::kernels::activations::{Activations, Group};
use crate::session::kernels::packed::Shape;
use crate::session::kernels::pool::Failed;
use crate::session::kernels::{Common, avx512, norm};

/// Fewer numbers than this are rounded by one thread.
const LEAST_VALUES: usize = 1 << 15;
/// Fewer than this are normalized by one thread.
const LEAST_NORMALIZED: usize = 1 << 13;

/// `(values + other) / √(mean square + epsilon) · scale`.
pub(super) struct Norm<'a> {
    /// As many as there are values, or fewer rows that repeat.
    pub(super) other: &'a [f32],
    pub(super) scale: &'a [f32],
    pub(super) epsilon: f32,
    /// Where the sum goes, if anywhere.
    pub(super) sum: Option<&'a mut [f32]>,
}

pub(super) fn rounded(values: &[f32], shape: Shape, common: &Common) -> Result<Activations, Failed> {
    fill(shape, values.len(), LEAST_VALUES, values.chunks_exact(shape.columns), common, |values, row, group| {
        avx512::quantize(values, shape.block, shape.bits, row, group);
    })
}

pub(super) fn normalized(values: &[f32], norm: Norm<'_>, shape: Shape, common: &Common) -> Result<Activations, Failed> {
    let columns = shape.columns;
    let mut sums = norm.sum.map(|sum| sum.chunks_exact_mut(columns));
    let others = norm.other.chunks_exact(columns).cycle();
    let rows = values.chunks_exact(columns).zip(others).map(|(values, other)| (values, other, sums.as_mut().and_then(Iterator::next)));
    fill(shape, values.len(), LEAST_NORMALIZED, rows, common, |(values, other, sum), row, group| {
        let mut own = Vec::new();
        let sum = sum.unwrap_or_else(|| {
            own.resize(columns, 0.0);
            &mut own
        });
        let mut normalized = vec![0.0; columns];
        norm::normalize_sum(values, other, norm.scale, norm.epsilon, sum, &mut normalized);
        avx512::quantize(&normalized, shape.block, shape.bits, row, group);
    })
}

/// Activations of which each row is filled with what stands for it, on several threads if there are many numbers.
fn fill<T: Send>(
    shape: Shape,
    count: usize,
    many: usize,
    mut rows: impl Iterator<Item = T>,
    common: &Common,
    one: impl Fn(T, usize, &mut Group<'_>) + Sync,
) -> Result<Activations, Failed> {
    let mut activations = common.spare.take();
    activations.resize(count / shape.columns, shape.columns, shape.block);
    if count < many {
        for mut group in activations.groups() {
            rows.by_ref().take(group.rows).enumerate().for_each(|(row, from)| one(from, row, &mut group));
        }
        return Ok(activations);
    }
    let groups: Vec<_> =
        activations.groups().map(|group| Mutex::new(Some((rows.by_ref().take(group.rows).collect::<Vec<_>>(), group)))).collect();
    common.pool.run(groups.len(), &|number| {
        if let Some((rows, mut group)) = groups.get(number).and_then(|group| group.lock().unwrap_or_else(PoisonError::into_inner).take()) {
            rows.into_iter().enumerate().for_each(|(row, from)| one(from, row, &mut group));
        }
    })?;
    drop(groups);
    Ok(activations)
}

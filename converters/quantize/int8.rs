//! 8 bits for dynamic quantization, as `onnxruntime.quantization.quantize_dynamic(per_channel=True, weight_type=QInt8)` chooses them.

use super::{Matrix, min_max};
use crate::{Result, parallel};
use rayon::prelude::*;

/// How many of the 8 bits are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// All of them.
    Full,
    /// 7, for processors whose 8-bit products saturate at 16 bits (x86 without VNNI): `reduce_range=True`.
    Reduced,
}

/// A weight for `MatMulInteger` or `DynamicQuantizeMatMul`. All zero points are 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8 {
    /// `[in, out]`
    pub values: Vec<i8>,
    /// `[out]`
    pub scales: Vec<f32>,
}

/// An embedding that `Gather` reads 8 bits of.
#[derive(Debug, Clone, PartialEq)]
pub struct Uint8 {
    /// Shaped as the matrix.
    pub values: Vec<u8>,
    /// What one step is worth.
    pub scale: f32,
    /// The step that stands for 0.
    pub zero_point: u8,
}

/// Rows of the result that are made at a time, so that what is written stays in the processor's first cache.
const TILE: usize = 32;

/// Quantizes each row of an `[out, in]` matrix by itself, symmetrically, and transposes the result.
///
/// # Errors
/// A number that is infinite or none.
pub fn int8_per_channel(weights: &Matrix, range: Range) -> Result<Int8> {
    let steps = match range {
        Range::Full => 254.0,
        Range::Reduced => 128.0,
    };
    let scale = |buffer: &mut Vec<f32>, row| {
        weights.row(row, buffer);
        let (min, max) = min_max(row, buffer)?;
        let largest = f64::from(min.abs().max(max.abs()));
        Ok(usable(2.0 * largest / steps).unwrap_or(1.0))
    };
    let scales: Vec<f32> = parallel(|| (0..weights.rows).into_par_iter().map_init(Vec::new, scale).collect::<Result<_>>())?;

    let (rows, columns) = (weights.rows, weights.columns);
    let mut values = vec![0; rows * columns];
    if rows > 0 {
        let fill = |(tile, out): (usize, &mut [i8])| {
            let mut part = [0.0; TILE];
            let part = &mut part[..out.len() / rows];
            for (row, scale) in scales.iter().enumerate() {
                weights.read(row, tile * TILE, part);
                for (column, value) in part.iter().enumerate() {
                    out[column * rows + row] = (value / scale).round_ties_even().clamp(-128.0, 127.0) as i8;
                }
            }
        };
        parallel(|| values.par_chunks_mut(TILE * rows).enumerate().for_each(fill));
    }
    Ok(Int8 { values, scales })
}

/// Quantizes a whole matrix with one scale and one zero point.
///
/// # Errors
/// A number that is infinite or none.
pub fn uint8_per_tensor(weights: &Matrix) -> Result<Uint8> {
    let row_range = |buffer: &mut Vec<f32>, row| {
        weights.row(row, buffer);
        min_max(row, buffer)
    };
    let wider = |a: (f32, f32), b: (f32, f32)| (a.0.min(b.0), a.1.max(b.1));
    let ranges = || (0..weights.rows).into_par_iter().map_init(Vec::new, row_range).try_reduce(|| (0.0, 0.0), |a, b| Ok(wider(a, b)));
    let (min, max) = parallel(ranges)?;
    let exact = (f64::from(max) - f64::from(min)) / 255.0;
    let (scale, zero_point) = match usable(exact) {
        Some(scale) => (scale, (-f64::from(min) / exact).round_ties_even() as u8),
        None => (1.0, 0),
    };

    let mut values = vec![0; weights.rows * weights.columns];
    if weights.columns > 0 {
        let fill = |buffer: &mut Vec<f32>, (row, out): (usize, &mut [u8])| {
            weights.row(row, buffer);
            for (out, value) in out.iter_mut().zip(buffer) {
                *out = ((*value / scale).round_ties_even() + f32::from(zero_point)).clamp(0.0, 255.0) as u8;
            }
        };
        parallel(|| values.par_chunks_mut(weights.columns).enumerate().for_each_init(Vec::new, fill));
    }
    Ok(Uint8 { values, scale, zero_point })
}

/// The scale as `f32`, unless it is too small to divide by.
fn usable(scale: f64) -> Option<f32> {
    (scale >= f64::from(f32::MIN_POSITIVE)).then_some(scale as f32)
}

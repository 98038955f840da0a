//! 4 or 8 bits in blocks of a row, for the operator `MatMulNBits`, as ONNX Runtime's `MatMulNBitsQuantizer` computes them by default.

use super::{Matrix, min_max};
use crate::{Dtype, Error, Result};
use half::f16;
use rayon::prelude::*;

/// Bits of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Bits {
    Four,
    Eight,
}

/// How a weight is quantized in blocks. By default in 4 bits, blocks of 32, symmetrically, with scales in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NBits {
    /// Bits of a weight.
    pub bits: Bits,
    /// Weights that share a scale: a power of two from 16 to 256.
    pub block_size: usize,
    /// Whether 0 lies in the middle of the range, so that there are no zero points.
    pub symmetric: bool,
    /// The type of the scales in the graph, `F32` or `F16`: weights are divided by what the scale is after rounding to it.
    pub scale_dtype: Dtype,
}

impl Default for NBits {
    fn default() -> Self {
        Self { bits: Bits::Four, block_size: 32, symmetric: true, scale_dtype: Dtype::F32 }
    }
}

/// The inputs of `MatMulNBits` for an `[out, in]` matrix; `blocks` = in / block size, rounded up.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    /// `[out, blocks, block size · bits / 8]`, the lower half of a byte first.
    pub values: Vec<u8>,
    /// `[out · blocks]`
    pub scales: Vec<f32>,
    /// `[out · (blocks · bits / 8, rounded up)]`; none if symmetric.
    pub zero_points: Option<Vec<u8>>,
}

/// Quantizes each block of each row by itself.
///
/// # Errors
/// A number that is infinite or none; a block size that the operator does not have; a scale that does not fit its type.
pub fn n_bits(weights: &Matrix, options: &NBits) -> Result<Blocks> {
    options.check()?;
    let NBits { bits, block_size, symmetric, .. } = *options;
    let blocks = weights.columns.div_ceil(block_size);
    let packed = |n: usize| match bits {
        Bits::Four => n.div_ceil(2),
        Bits::Eight => n,
    };
    let (values_len, zeros_len) = (blocks * packed(block_size), packed(blocks));

    let mut values = vec![0; weights.rows * values_len];
    let mut scales = vec![0.0; weights.rows * blocks];
    let mut zero_points = vec![0; weights.rows * zeros_len];
    if blocks > 0 {
        let rows = values.par_chunks_mut(values_len).zip(scales.par_chunks_mut(blocks)).zip(zero_points.par_chunks_mut(zeros_len));
        let buffers = || (Vec::new(), Vec::new(), Vec::new());
        rows.enumerate().try_for_each_init(buffers, |(buffer, quantized, zeros), (row, ((values, scales), zero_points))| {
            weights.row(row, buffer);
            zeros.clear();
            let blocks = buffer.chunks(block_size).zip(values.chunks_mut(packed(block_size))).zip(scales);
            for ((block, values), scale) in blocks {
                let grid = Grid::of(row, block, options)?;
                *scale = grid.scale;
                zeros.push(grid.zero_point);
                quantized.clear();
                quantized.extend(block.iter().map(|v| grid.quantize(*v)));
                // Fills the last byte; no weight belongs to it.
                quantized.resize(quantized.len().next_multiple_of(2), 0);
                pack(bits, quantized, values);
            }
            zeros.resize(zeros.len().next_multiple_of(2), bits.middle());
            pack(bits, zeros, zero_points);
            Ok(())
        })?;
    }
    Ok(Blocks { values, scales, zero_points: (!symmetric).then_some(zero_points) })
}

impl NBits {
    /// Refuses what the operator does not have.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { block_size, scale_dtype, .. } = self;
        if !(16..=256).contains(block_size) || !block_size.is_power_of_two() {
            return Err(Error::unsupported(format!("blocks of {block_size} weights; MatMulNBits takes a power of two from 16 to 256")));
        }
        if !matches!(scale_dtype, Dtype::F32 | Dtype::F16) {
            return Err(Error::unsupported(format!("scales of type {scale_dtype:?}; MatMulNBits takes F32 and F16")));
        }
        Ok(())
    }
}

impl Bits {
    /// 4 or 8.
    pub fn count(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    fn largest(self) -> u8 {
        match self {
            Self::Four => 15,
            Self::Eight => 255,
        }
    }

    fn middle(self) -> u8 {
        self.largest() / 2 + 1
    }
}

/// The numbers that a block can express.
struct Grid {
    scale: f32,
    /// 1 / scale, and 0 for a block of zeros.
    steps: f32,
    zero_point: u8,
    largest: f32,
}

impl Grid {
    fn of(row: usize, block: &[f32], options: &NBits) -> Result<Self> {
        let (min, max) = min_max(row, block)?;
        let (largest, middle) = (options.bits.largest(), options.bits.middle());
        let (exact, zero_point) = if options.symmetric {
            // The extreme of either sign falls on the lowest value, which has no counterpart above.
            let extreme = if max.abs() > min.abs() { max } else { min };
            (extreme / -f32::from(middle), middle)
        } else {
            let (min, max) = (min.min(0.0), max.max(0.0));
            let scale = (max - min) / f32::from(largest);
            let zero_point = if scale == 0.0 { min } else { 0.0 - min / scale };
            (scale, zero_point.round().clamp(0.0, f32::from(largest)) as u8)
        };
        let scale = if options.scale_dtype == Dtype::F16 { f16::from_f32(exact).to_f32() } else { exact };
        let steps = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        if !scale.is_finite() {
            return Err(Error::tensor(format!("row {row} has numbers up to {max}, whose scale does not fit {:?}", options.scale_dtype)));
        }
        Ok(Self { scale, steps, zero_point, largest: f32::from(largest) })
    }

    fn quantize(&self, value: f32) -> u8 {
        (value * self.steps + f32::from(self.zero_point)).round().clamp(0.0, self.largest) as u8
    }
}

/// Writes numbers of 4 or 8 bits to the beginning of some bytes.
fn pack(bits: Bits, numbers: &[u8], bytes: &mut [u8]) {
    match bits {
        Bits::Four => bytes.iter_mut().zip(numbers.as_chunks::<2>().0).for_each(|(byte, [low, high])| *byte = low | high << 4),
        Bits::Eight => bytes.iter_mut().zip(numbers).for_each(|(byte, number)| *byte = *number),
    }
}

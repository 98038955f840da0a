//! 4 or 8 bits in blocks of a row, for the operator `MatMulNBits`, as ONNX Runtime's `MatMulNBitsQuantizer` computes them by default.

use super::{Matrix, min_max};
use crate::{Dtype, Error, Result, parallel};
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
    /// The same for matrices that have more rows than columns, layers that widen and tables of words, where that is another size.
    pub wide_block_size: Option<usize>,
    /// Takes the scale with the least squared error of several near the usual one, where 4 bits are symmetric.
    pub least_error: bool,
    /// Rounds scales to what 16 bits express, whatever their type in the graph, so that they can be read as such; not those that are too small.
    pub half_scales: bool,
    /// Whether 0 lies in the middle of the range, so that there are no zero points.
    pub symmetric: bool,
    /// The type of the scales in the graph, `F32` or `F16`: weights are divided by what the scale is after rounding to it.
    pub scale_dtype: Dtype,
}

impl Default for NBits {
    fn default() -> Self {
        Self {
            bits: Bits::Four,
            block_size: 32,
            wide_block_size: None,
            least_error: false,
            half_scales: false,
            symmetric: true,
            scale_dtype: Dtype::F32,
        }
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
    let NBits { bits, symmetric, .. } = *options;
    let block_size = options.block_size_of(weights.rows, weights.columns);
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
        let quantize = || {
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
            })
        };
        parallel(quantize)?;
    }
    Ok(Blocks { values, scales, zero_points: (!symmetric).then_some(zero_points) })
}

impl NBits {
    /// 4 bits with about the error that blocks of 32 have by default, and fewer bytes: scales of least error make up for the larger
    /// blocks of wide matrices, which are most of a language model. One token reads every byte once.
    pub fn compact() -> Self {
        Self { wide_block_size: Some(64), least_error: true, half_scales: true, ..Self::default() }
    }

    /// How many weights of a matrix share a scale.
    pub fn block_size_of(&self, rows: usize, columns: usize) -> usize {
        self.wide_block_size.filter(|_| rows > columns).unwrap_or(self.block_size)
    }

    /// Refuses what the operator does not have.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { scale_dtype, .. } = self;
        for block_size in self.wide_block_size.into_iter().chain([self.block_size]) {
            if !(16..=256).contains(&block_size) || !block_size.is_power_of_two() {
                return Err(Error::unsupported(format!("blocks of {block_size} weights; MatMulNBits takes a power of two from 16 to 256")));
            }
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
        middle(self.count())
    }
}

/// The zero point of numbers of so many bits, where nothing is said about it.
pub(super) fn middle(bits: usize) -> u8 {
    1u8.checked_shl(bits.saturating_sub(1) as u32).unwrap_or(0)
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
            let usual = extreme / -f32::from(middle);
            let searched = options.least_error && options.bits == Bits::Four;
            (if searched { least_error(block, usual) } else { usual }, middle)
        } else {
            let (min, max) = (min.min(0.0), max.max(0.0));
            let scale = (max - min) / f32::from(largest);
            let zero_point = if scale == 0.0 { min } else { 0.0 - min / scale };
            (scale, zero_point.round().clamp(0.0, f32::from(largest)) as u8)
        };
        let half = f16::from_f32(exact).to_f32();
        // Below this, rounding to 16 bits would take more than rounding to 4 does; above, it takes a two-thousandth.
        let rounded = options.scale_dtype == Dtype::F16 || options.half_scales && half.is_finite() && exact.abs() >= 1e-6;
        let scale = if rounded { half } else { exact };
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

/// The scale for which 4 bits, -8 to 7, leave the least sum of squared errors: the best of several near the usual one, each after its
/// numbers have been fitted to the weights.
fn least_error(block: &[f32], usual: f32) -> f32 {
    // By what the extreme becomes: it may be clamped, so that the others have finer steps.
    const EXTREMES: [f32; 5] = [8.0, 7.0, 7.5, 8.5, 9.0];
    let mut best = (0.0, usual);
    for extreme in EXTREMES {
        let (product, square) = fit(block, extreme / (8.0 * usual));
        // What is left of the weights' squares is smaller by this.
        let gain = product * product / square;
        if gain.is_finite() && gain > best.0 {
            best = (gain, product / square);
        }
    }
    best.1
}

/// `(Σ n w, Σ n²)` of the numbers `n` that weights `w` become in these steps.
fn fit(block: &[f32], steps: f32) -> (f32, f32) {
    const LANES: usize = 8;
    // Adding and taking it away rounds to whole numbers, which a processor does for many at once.
    const WHOLE: f32 = 12_582_912.0;
    let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |weights: &[f32]| {
        for ((product, square), weight) in products.iter_mut().zip(&mut squares).zip(weights) {
            let number = ((weight * steps).clamp(-8.0, 7.0) + WHOLE) - WHOLE;
            *product += number * weight;
            *square += number * number;
        }
    };
    let (whole, rest) = block.as_chunks::<LANES>();
    whole.iter().for_each(|weights| add(weights));
    add(rest);
    (products.iter().sum(), squares.iter().sum())
}

/// Writes numbers of 4 or 8 bits to the beginning of some bytes.
pub(super) fn pack(bits: Bits, numbers: &[u8], bytes: &mut [u8]) {
    match bits {
        Bits::Four => bytes.iter_mut().zip(numbers.as_chunks::<2>().0).for_each(|(byte, [low, high])| *byte = low | high << 4),
        Bits::Eight => bytes.iter_mut().zip(numbers).for_each(|(byte, number)| *byte = *number),
    }
}

//! 4 bits in blocks of a row, for the operator `GatherBlockQuantized`, as ONNX Runtime's `MatMulNBitsQuantizer` computes them for embeddings.

use super::{Matrix, min_max};
use crate::{Error, Result, parallel};
use rayon::prelude::*;

/// The inputs of `GatherBlockQuantized` for a `[vocabulary, hidden]` matrix, symmetric: signed 4-bit numbers and no zero points.
#[derive(Debug, Clone, PartialEq)]
pub struct GatherBlocks {
    /// `[vocabulary, hidden]` of ONNX's `INT4`, the lower half of a byte first.
    pub values: Vec<u8>,
    /// `[vocabulary, hidden / block size, rounded up]`
    pub scales: Vec<f32>,
}

/// Quantizes each block of each row by itself, symmetrically.
///
/// # Errors
/// A number that is infinite or none; a block size that the operator does not have; an odd number of columns.
pub fn gather_q4(weights: &Matrix, block_size: usize) -> Result<GatherBlocks> {
    if block_size < 16 || !block_size.is_power_of_two() {
        return Err(Error::unsupported(format!("blocks of {block_size} weights; GatherBlockQuantized takes a power of two from 16 on")));
    }
    if !weights.columns.is_multiple_of(2) {
        return Err(Error::unsupported(format!("rows of {} numbers, which is odd, cannot be stored in 4 bits each", weights.columns)));
    }
    let blocks = weights.columns.div_ceil(block_size);
    let mut values = vec![0; weights.rows * weights.columns / 2];
    let mut scales = vec![0.0; weights.rows * blocks];
    if blocks > 0 {
        let rows = values.par_chunks_mut(weights.columns / 2).zip(scales.par_chunks_mut(blocks));
        let fill = |buffer: &mut Vec<f32>, (row, (values, scales)): (usize, (&mut [u8], &mut [f32]))| {
            weights.row(row, buffer);
            let blocks = buffer.chunks(block_size).zip(values.chunks_mut(block_size / 2)).zip(scales);
            for ((block, values), scale) in blocks {
                let (min, max) = min_max(row, block)?;
                *scale = if max.abs() > min.abs() { max } else { min } / -8.0;
                let quantize = |v: f32| if *scale == 0.0 { 0 } else { (v / *scale).round_ties_even().clamp(-8.0, 7.0) as i8 as u8 & 0xf };
                for (byte, [low, high]) in values.iter_mut().zip(block.as_chunks::<2>().0) {
                    *byte = quantize(*low) | quantize(*high) << 4;
                }
            }
            Ok(())
        };
        parallel(|| rows.enumerate().try_for_each_init(Vec::new, fill))?;
    }
    Ok(GatherBlocks { values, scales })
}

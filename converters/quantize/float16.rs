//! 16-bit floats, as `onnxruntime.transformers.float16` rounds them: what is finite stays finite, and what is not 0 does not become 0.

use super::Matrix;
use crate::parallel;
use half::f16;
use rayon::prelude::*;

/// The numbers as 16-bit floats, and how many of them did not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Float16 {
    /// Shaped as the matrix.
    pub values: Vec<f16>,
    /// Finite numbers beyond ±65504, which became that.
    pub clamped: usize,
}

/// Rounds each number to the nearest 16-bit float.
pub fn to_float16(weights: &Matrix) -> Float16 {
    let mut values = vec![f16::ZERO; weights.rows * weights.columns];
    let clamped = match weights.columns {
        0 => 0,
        columns => {
            let fill = |buffer: &mut Vec<f32>, (row, out): (usize, &mut [f16])| {
                weights.row(row, buffer);
                out.iter_mut().zip(&*buffer).for_each(|(out, value)| *out = narrow(*value));
                buffer.iter().filter(|v| v.is_finite() && v.abs() > f16::MAX.to_f32()).count()
            };
            parallel(|| values.par_chunks_mut(columns).enumerate().map_init(Vec::new, fill).sum())
        }
    };
    Float16 { values, clamped }
}

fn narrow(value: f32) -> f16 {
    let nearest = f16::from_f32(value);
    if nearest.is_infinite() && value.is_finite() {
        return if value > 0.0 { f16::MAX } else { f16::MIN };
    }
    if nearest == f16::ZERO && value != 0.0 {
        return f16::MIN_POSITIVE_SUBNORMAL.copysign(nearest);
    }
    nearest
}

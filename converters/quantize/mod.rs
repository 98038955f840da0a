//! Weights in fewer bits: the numbers that ONNX Runtime's own quantization tools compute, to the bit.
//!
//! Each kernel reads a [`Matrix`] as it lies in the checkpoint, widens a few rows at a time, and allocates nothing but its result.

mod blocked;
mod float16;
mod gather;
mod int8;
mod n_bits;
mod packing;

pub(crate) use blocked::Blocked;
pub use float16::{Float16, to_float16};
pub use gather::{GatherBlocks, gather_q4};
pub use int8::{Int8, Range, Uint8, int8_per_channel, uint8_per_tensor};
pub use n_bits::{Bits, Blocks, NBits, n_bits};
pub(crate) use packing::{Layout, Packing, Unpacked};

use crate::weights::dense::widen;
use crate::{Dtype, Error, Result};

/// A matrix of floating-point numbers, as a checkpoint holds it: `[out, in]` for linear layers, `[vocabulary, hidden]` for embeddings.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    bytes: &'a [u8],
    dtype: Dtype,
    rows: usize,
    columns: usize,
    /// Whether the numbers of a column lie behind one another, not those of a row.
    by_columns: bool,
}

impl<'a> Matrix<'a> {
    /// A view of little-endian elements, such as [`Tensors::bytes`](crate::weights::Tensors::bytes) gives.
    ///
    /// # Errors
    /// A type that is no floating-point one; a length that is not that of the shape.
    pub fn new(bytes: &'a [u8], dtype: Dtype, [rows, columns]: [usize; 2]) -> Result<Self> {
        if !dtype.is_float() {
            return Err(Error::tensor(format!("only floating-point weights can be quantized, not {dtype:?}")));
        }
        if dtype.bytes(&[rows, columns]) != Some(bytes.len() as u64) {
            return Err(Error::tensor(format!("{} bytes are not those of {dtype:?} [{rows}, {columns}]", bytes.len())));
        }
        Ok(Self { bytes, dtype, rows, columns, by_columns: false })
    }

    /// As [`Matrix::new`], of numbers that lie column by column: a linear layer as `[in, out]`.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn by_columns(bytes: &'a [u8], dtype: Dtype, shape: [usize; 2]) -> Result<Self> {
        Ok(Self { by_columns: true, ..Self::new(bytes, dtype, shape)? })
    }

    /// Writes a part of a row, from a column on.
    fn read(&self, row: usize, column: usize, values: &mut [f32]) {
        let size = (self.dtype.bits() / 8) as usize;
        if !self.by_columns {
            widen(&self.bytes[(row * self.columns + column) * size..], self.dtype, values);
            return;
        }
        for (i, value) in values.iter_mut().enumerate() {
            let at = ((column + i) * self.rows + row) * size;
            widen(&self.bytes[at..at + size], self.dtype, std::slice::from_mut(value));
        }
    }

    /// A whole row.
    fn row(&self, row: usize, values: &mut Vec<f32>) {
        values.resize(self.columns, 0.0);
        self.read(row, 0, values);
    }
}

/// The smallest and the largest of some numbers, and 0 where there are none.
fn min_max(row: usize, values: &[f32]) -> Result<(f32, f32)> {
    if let Some(value) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::tensor(format!("row {row} contains {value}, which cannot be quantized; convert without quantization")));
    }
    let Some((&first, rest)) = values.split_first() else { return Ok((0.0, 0.0)) };
    Ok(rest.iter().fold((first, first), |(min, max), &v| (v.min(min), v.max(max))))
}

#[cfg(test)]
mod tests;

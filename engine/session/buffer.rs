//! Tensors that runs change where they lie.

use super::raw::{SharedBuffer, runtime_error};
use super::{Dtype, runtime};
use crate::{Error, ErrorKind, Result};

/// A tensor in the application's memory that is input and output of runs in one, as caches are.
#[derive(Debug)]
pub struct Buffer {
    inner: SharedBuffer,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Buffer {
    /// Zeros of 32-bit floats.
    ///
    /// # Errors
    /// As [`Self::zeros_of`].
    pub fn zeros(shape: &[usize]) -> Result<Self> {
        Self::zeros_of(Dtype::F32, shape)
    }

    /// Zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is not enough memory, or ONNX Runtime cannot be loaded.
    pub fn zeros_of(dtype: Dtype, shape: &[usize]) -> Result<Self> {
        runtime::get()?;
        let too_large = || Error::new(ErrorKind::Runtime, format!("no memory for a tensor of shape {shape:?}"));
        let length = dtype.bytes(shape).and_then(|bytes| isize::try_from(bytes).ok()).ok_or_else(too_large)?.unsigned_abs();
        let mut pieces = Vec::new();
        let count = length.div_ceil(size_of::<u64>());
        pieces.try_reserve_exact(count).map_err(|_| too_large())?;
        pieces.resize(count, 0);
        let inner = SharedBuffer::new(pieces, length, dtype, shape).map_err(runtime_error)?;
        Ok(Self { inner, dtype, shape: shape.to_vec() })
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its elements, in row-major order; none where they are no 32-bit floats.
    pub fn elements(&self) -> &[f32] {
        if self.dtype == Dtype::F32 { bytemuck::cast_slice(self.bytes()) } else { &[] }
    }

    /// Its elements, to be changed.
    pub fn elements_mut(&mut self) -> &mut [f32] {
        if self.dtype == Dtype::F32 { bytemuck::cast_slice_mut(self.inner.bytes_mut()) } else { &mut [] }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.inner.bytes()
    }

    /// Its bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.inner.bytes_mut()
    }

    pub(super) fn pointer(&mut self) -> *mut ort_sys::OrtValue {
        self.inner.pointer()
    }
}

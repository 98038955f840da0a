//! Tensors that runs change where they lie.

use super::raw::{SharedBuffer, runtime_error};
use super::runtime;
use crate::{Error, ErrorKind, Result};

/// A tensor of 32-bit floats in the application's memory that is input and output of runs in one, as caches are.
#[derive(Debug)]
pub struct Buffer {
    inner: SharedBuffer,
    shape: Vec<usize>,
}

impl Buffer {
    /// Zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is not enough memory, or ONNX Runtime cannot be loaded.
    pub fn zeros(shape: &[usize]) -> Result<Self> {
        runtime::get()?;
        let count =
            shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).filter(|count| *count <= isize::MAX as usize / 4);
        let too_large = || Error::new(ErrorKind::Runtime, format!("no memory for a tensor of shape {shape:?}"));
        let count = count.ok_or_else(too_large)?;
        let mut elements = Vec::new();
        elements.try_reserve_exact(count).map_err(|_| too_large())?;
        elements.resize(count, 0.0);
        let inner = SharedBuffer::new(elements, shape).map_err(runtime_error)?;
        Ok(Self { inner, shape: shape.to_vec() })
    }

    /// Its sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its elements, in row-major order.
    pub fn elements(&self) -> &[f32] {
        self.inner.elements()
    }

    /// Its elements, to be changed.
    pub fn elements_mut(&mut self) -> &mut [f32] {
        self.inner.elements_mut()
    }

    pub(super) fn pointer(&mut self) -> *mut ort_sys::OrtValue {
        self.inner.pointer()
    }
}

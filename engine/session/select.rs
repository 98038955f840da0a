//! Tensors of zeros, and parts of tensors.

use half::{bf16, f16};
use ndarray::{ArrayD, Axis, s};

use super::{Dtype, Element, Value};
use crate::{Error, ErrorKind, Result};

impl Value {
    /// Zeros of this type and shape.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is not enough memory, [`ErrorKind::Unsupported`] for types that are no plain numbers.
    pub fn zeros(dtype: Dtype, shape: &[usize]) -> Result<Self> {
        fn of<T: Default + Clone>(shape: &[usize]) -> Result<Value>
        where
            Value: From<ArrayD<T>>,
        {
            let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
            let no_memory = || Error::new(ErrorKind::Runtime, format!("no memory for a tensor of shape {shape:?}"));
            let count = count.filter(|count| *count <= isize::MAX as usize / size_of::<T>().max(1)).ok_or_else(no_memory)?;
            let mut elements = Vec::new();
            elements.try_reserve_exact(count).map_err(|_| no_memory())?;
            elements.resize(count, T::default());
            Value::new(shape, elements)
        }
        match dtype {
            Dtype::F32 => of::<f32>(shape),
            Dtype::F16 => of::<f16>(shape),
            Dtype::BF16 => of::<bf16>(shape),
            Dtype::F64 => of::<f64>(shape),
            Dtype::I64 => of::<i64>(shape),
            Dtype::I32 => of::<i32>(shape),
            Dtype::I8 => of::<i8>(shape),
            Dtype::U8 => of::<u8>(shape),
            other => Err(Error::unsupported(format!("tensors of {other:?}"))),
        }
    }

    /// The parts with these places along the first axis, in this order.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is no such place, or the elements are no plain numbers.
    pub fn select(&self, places: &[usize]) -> Result<Self> {
        let parts = self.shape().first().copied().unwrap_or(0);
        if let Some(place) = places.iter().find(|place| **place >= parts) {
            return Err(Error::new(ErrorKind::Runtime, format!("a tensor of shape {:?} has no part {place}", self.shape())));
        }
        match self.dtype() {
            Dtype::F32 => select::<f32>(self, places),
            Dtype::F16 => select::<f16>(self, places),
            Dtype::BF16 => select::<bf16>(self, places),
            Dtype::F64 => select::<f64>(self, places),
            Dtype::I64 => select::<i64>(self, places),
            Dtype::I32 => select::<i32>(self, places),
            Dtype::I8 => select::<i8>(self, places),
            Dtype::U8 => select::<u8>(self, places),
            other => Err(Error::unsupported(format!("parts of a tensor of {other:?}"))),
        }
    }

    /// The numbers at one place of a row, as float32: `(n)` of `(rows, places, n)`.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is no such place, or these are no floating-point numbers.
    pub fn at(&self, row: usize, place: usize) -> Result<Vec<f32>> {
        let fits = matches!(self.shape(), [rows, places, _] if row < *rows && place < *places);
        if !fits {
            return Err(Error::new(ErrorKind::Runtime, format!("a tensor of shape {:?} has no place {place} in row {row}", self.shape())));
        }
        Ok(match self.dtype() {
            // Not all of them, of which a prompt has many.
            Dtype::F16 => self.view::<f16>()?.slice(s![row, place, ..]).iter().map(|number| number.to_f32()).collect(),
            Dtype::BF16 => self.view::<bf16>()?.slice(s![row, place, ..]).iter().map(|number| number.to_f32()).collect(),
            _ => self.to_f32()?.slice(s![row, place, ..]).to_vec(),
        })
    }
}

fn select<T: Element + Clone>(value: &Value, places: &[usize]) -> Result<Value>
where
    Value: From<ArrayD<T>>,
{
    Ok(value.view::<T>()?.select(Axis(0), places).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn parts_are_copied_in_order() {
        let value = Value::from(array![[1.0_f32, 2.0], [3.0, 4.0]]);
        assert_eq!(value.select(&[1, 1, 0]).unwrap().to_f32().unwrap(), array![[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]].into_dyn());
        assert!(value.select(&[2]).is_err());
        let half = Value::from(array![[[1.0_f32, 2.0], [3.0, 4.0]]]).converted(Dtype::F16).unwrap().unwrap();
        assert_eq!(half.at(0, 1).unwrap(), [3.0, 4.0]);
        assert!(half.at(0, 2).is_err() && Value::from(array![1_i64]).at(0, 0).is_err());
    }
}

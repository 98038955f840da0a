//! What goes into a session and comes out of it: tensors, the application's or ONNX Runtime's.

use std::sync::Arc;

use bytemuck::Pod;
use formers_converters::Dtype;
use half::{bf16, f16};
use ndarray::{Array, ArrayD, ArrayViewD, CowArray, Dimension, IxDyn};

use super::raw::{BorrowedValue, OwnedValue, runtime_error};
use crate::{Error, ErrorKind, Result};

/// A tensor. The application makes it from an array; runs give [`Value::Runtime`], which needs no copy to be looked at
/// or to be the input of another run.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Value {
    F32(ArrayD<f32>),
    F16(ArrayD<f16>),
    BF16(ArrayD<bf16>),
    F64(ArrayD<f64>),
    I64(ArrayD<i64>),
    I32(ArrayD<i32>),
    I16(ArrayD<i16>),
    I8(ArrayD<i8>),
    U64(ArrayD<u64>),
    U32(ArrayD<u32>),
    U16(ArrayD<u16>),
    U8(ArrayD<u8>),
    Bool(ArrayD<bool>),
    /// A tensor in ONNX Runtime's memory.
    Runtime(RuntimeTensor),
}

/// A tensor in ONNX Runtime's memory. Clones share it.
#[derive(Debug, Clone)]
pub struct RuntimeTensor {
    value: Arc<OwnedValue>,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// A type of element that can be looked at where it lies.
pub trait Element: Pod + sealed::Sealed {
    /// Its name among tensors.
    const DTYPE: Dtype;
    #[doc(hidden)]
    fn array(value: &Value) -> Option<&ArrayD<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

/// The variants that hold an array of plain numbers.
macro_rules! elements {
    ($($variant:ident $type:ty),*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$variant;
            fn array(value: &Value) -> Option<&ArrayD<Self>> {
                if let Value::$variant(array) = value { Some(array) } else { None }
            }
        }
        impl<D: Dimension> From<Array<$type, D>> for Value {
            fn from(array: Array<$type, D>) -> Self {
                Self::$variant(array.into_dyn())
            }
        }
    )*};
}
elements!(F32 f32, F16 f16, BF16 bf16, F64 f64, I64 i64, I32 i32, I16 i16, I8 i8, U64 u64, U32 u32, U16 u16, U8 u8);

impl<D: Dimension> From<Array<bool, D>> for Value {
    fn from(array: Array<bool, D>) -> Self {
        Self::Bool(array.into_dyn())
    }
}

/// Runs `$body` with `$array` as the array of a value in the application's memory.
macro_rules! with_array {
    ($value:expr, $array:ident => $body:expr, $tensor:ident => $otherwise:expr) => {
        match $value {
            Value::F32($array) => $body,
            Value::F16($array) => $body,
            Value::BF16($array) => $body,
            Value::F64($array) => $body,
            Value::I64($array) => $body,
            Value::I32($array) => $body,
            Value::I16($array) => $body,
            Value::I8($array) => $body,
            Value::U64($array) => $body,
            Value::U32($array) => $body,
            Value::U16($array) => $body,
            Value::U8($array) => $body,
            Value::Bool($array) => $body,
            Value::Runtime($tensor) => $otherwise,
        }
    };
}

impl Value {
    /// A tensor of this shape, from its elements in row-major order.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there are not as many elements as the shape says.
    pub fn new<T>(shape: &[usize], elements: Vec<T>) -> Result<Self>
    where
        Self: From<ArrayD<T>>,
    {
        let count = elements.len();
        let array = ArrayD::from_shape_vec(IxDyn(shape), elements);
        array
            .map(Self::from)
            .map_err(|_| Error::new(ErrorKind::Runtime, format!("{count} elements do not make a tensor of shape {shape:?}")))
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F16(_) => Dtype::F16,
            Self::BF16(_) => Dtype::BF16,
            Self::F64(_) => Dtype::F64,
            Self::I64(_) => Dtype::I64,
            Self::I32(_) => Dtype::I32,
            Self::I16(_) => Dtype::I16,
            Self::I8(_) => Dtype::I8,
            Self::U64(_) => Dtype::U64,
            Self::U32(_) => Dtype::U32,
            Self::U16(_) => Dtype::U16,
            Self::U8(_) => Dtype::U8,
            Self::Bool(_) => Dtype::Bool,
            Self::Runtime(tensor) => tensor.dtype,
        }
    }

    /// Its sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        with_array!(self, array => array.shape(), tensor => &tensor.shape)
    }

    /// Its elements where they lie.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when they are of another type.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let failed = |problem: String| Error::new(ErrorKind::Runtime, problem);
        if let Some(array) = T::array(self) {
            return Ok(array.view());
        }
        match self {
            Self::Runtime(tensor) if tensor.dtype == T::DTYPE => {
                let bytes = tensor.bytes()?;
                // No bytes lie anywhere, so not where elements of this type may lie either.
                let elements = if bytes.is_empty() { Ok(&[][..]) } else { bytemuck::try_cast_slice(bytes) };
                let elements = elements.map_err(|error| failed(format!("a tensor lies askew: {error}")))?;
                ArrayViewD::from_shape(IxDyn(&tensor.shape), elements).map_err(|error| failed(error.to_string()))
            }
            _ => Err(failed(format!("a tensor of {:?} is not one of {:?}", self.dtype(), T::DTYPE))),
        }
    }

    /// Its elements as float32: where they lie when that is what they are, else converted.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when they are no floating-point numbers.
    pub fn to_f32(&self) -> Result<CowArray<'_, f32, IxDyn>> {
        Ok(match self.dtype() {
            Dtype::F32 => self.view::<f32>()?.into(),
            Dtype::F16 => self.view::<f16>()?.mapv(f16::to_f32).into(),
            Dtype::BF16 => self.view::<bf16>()?.mapv(bf16::to_f32).into(),
            #[allow(clippy::cast_possible_truncation)]
            Dtype::F64 => self.view::<f64>()?.mapv(|x| x as f32).into(),
            other => return Err(Error::new(ErrorKind::Runtime, format!("a tensor of {other:?} is not one of floating-point numbers"))),
        })
    }

    /// Its elements as int64: where they lie when that is what they are, else converted.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when they are no whole numbers that int64 holds.
    pub fn to_i64(&self) -> Result<CowArray<'_, i64, IxDyn>> {
        Ok(match self.dtype() {
            Dtype::I64 => self.view::<i64>()?.into(),
            Dtype::I32 => self.view::<i32>()?.mapv(i64::from).into(),
            Dtype::I16 => self.view::<i16>()?.mapv(i64::from).into(),
            Dtype::I8 => self.view::<i8>()?.mapv(i64::from).into(),
            Dtype::U32 => self.view::<u32>()?.mapv(i64::from).into(),
            Dtype::U16 => self.view::<u16>()?.mapv(i64::from).into(),
            Dtype::U8 => self.view::<u8>()?.mapv(i64::from).into(),
            Dtype::Bool => self.to_bool()?.mapv(i64::from).into(),
            other => return Err(Error::new(ErrorKind::Runtime, format!("a tensor of {other:?} is not one of whole numbers"))),
        })
    }

    fn to_bool(&self) -> Result<ArrayD<bool>> {
        match self {
            Self::Bool(array) => Ok(array.clone()),
            // Read as bytes, since a `bool` may not be anything but 0 or 1.
            Self::Runtime(tensor) if tensor.dtype == Dtype::Bool => {
                let elements = tensor.bytes()?.iter().map(|&byte| byte != 0).collect();
                ArrayD::from_shape_vec(IxDyn(&tensor.shape), elements).map_err(|error| Error::new(ErrorKind::Runtime, error.to_string()))
            }
            _ => Err(Error::new(ErrorKind::Runtime, format!("a tensor of {:?} is not one of booleans", self.dtype()))),
        }
    }

    /// The same numbers as a graph wants them: between floating-point types, and between types of whole numbers.
    /// `None` when the one cannot stand for the other.
    pub(super) fn converted(&self, dtype: Dtype) -> Result<Option<Self>> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Some(match (self.dtype(), dtype) {
            (from, Dtype::F32) if from.is_float() => self.to_f32()?.into_owned().into(),
            (from, Dtype::F16) if from.is_float() => self.to_f32()?.mapv(f16::from_f32).into(),
            (from, Dtype::BF16) if from.is_float() => self.to_f32()?.mapv(bf16::from_f32).into(),
            (from, Dtype::F64) if from.is_float() => self.to_f32()?.mapv(f64::from).into(),
            (from, _) if from.is_float() || from == Dtype::U64 => return Ok(None),
            (_, Dtype::I64) => self.to_i64()?.into_owned().into(),
            (_, Dtype::I32) => self.to_i64()?.mapv(|x| x as i32).into(),
            (_, Dtype::U8) => self.to_i64()?.mapv(|x| x as u8).into(),
            (_, Dtype::Bool) => self.to_i64()?.mapv(|x| x != 0).into(),
            _ => return Ok(None),
        }))
    }

    /// Whether its elements lie in row-major order, as ONNX Runtime wants them.
    pub(super) fn is_contiguous(&self) -> bool {
        with_array!(self, array => array.is_standard_layout(), _tensor => true)
    }

    /// The same tensor with its elements in row-major order.
    pub(super) fn contiguous(&self) -> Result<Self> {
        Ok(with_array!(self, array => array.as_standard_layout().into_owned().into(), _tensor => {
            return Err(Error::new(ErrorKind::Runtime, "a tensor of ONNX Runtime lies in order already"))
        }))
    }

    /// A handle to the elements where they lie; `None` for a tensor that ONNX Runtime has itself.
    pub(super) fn lend(&self) -> Result<Option<BorrowedValue<'_>>> {
        fn plain<T: Pod>(array: &ArrayD<T>) -> Option<&[u8]> {
            array.as_slice().map(bytemuck::cast_slice)
        }
        let bytes = match self {
            Self::F32(array) => plain(array),
            Self::F16(array) => plain(array),
            Self::BF16(array) => plain(array),
            Self::F64(array) => plain(array),
            Self::I64(array) => plain(array),
            Self::I32(array) => plain(array),
            Self::I16(array) => plain(array),
            Self::I8(array) => plain(array),
            Self::U64(array) => plain(array),
            Self::U32(array) => plain(array),
            Self::U16(array) => plain(array),
            Self::U8(array) => plain(array),
            Self::Bool(array) => array.as_slice().map(bytemuck::cast_slice::<bool, u8>),
            Self::Runtime(_) => return Ok(None),
        };
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::Runtime, "a tensor's elements are out of order"))?;
        BorrowedValue::new(bytes, self.dtype(), self.shape()).map(Some).map_err(runtime_error)
    }
}

impl RuntimeTensor {
    /// A tensor that a run gave.
    pub(super) fn new(value: OwnedValue) -> Result<Self> {
        let (number, shape) = value.describe().map_err(runtime_error)?;
        let dtype = dtype_of(number).ok_or_else(|| Error::unsupported(format!("tensors of ONNX's element type {number}")))?;
        Ok(Self { value: Arc::new(value), dtype, shape })
    }

    pub(super) fn pointer(&self) -> *const ort_sys::OrtValue {
        self.value.pointer()
    }

    #[allow(unsafe_code)]
    fn bytes(&self) -> Result<&[u8]> {
        let length = self.dtype.bytes(&self.shape).and_then(|bytes| usize::try_from(bytes).ok());
        let length = length.ok_or_else(|| Error::new(ErrorKind::Runtime, format!("a tensor of shape {:?} is too large", self.shape)))?;
        // SAFETY: type and shape are the tensor's own, and runs put their outputs into the processor's memory.
        unsafe { self.value.bytes(length) }.map_err(runtime_error)
    }
}

/// The type with this number in ONNX; `None` for strings and for types that nothing here uses.
pub(super) fn dtype_of(number: i32) -> Option<Dtype> {
    use Dtype::{BF16, Bool, F16, F32, F64, I4, I8, I16, I32, I64, U4, U8, U16, U32, U64};
    [F32, F16, BF16, F64, I64, I32, I16, I8, U64, U32, U16, U8, Bool, I4, U4].into_iter().find(|dtype| dtype.onnx() == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr2, array};

    #[test]
    fn values_convert_between_numbers_of_one_kind() {
        let half = Value::from(array![0.5_f32, -2.0]).converted(Dtype::F16).unwrap().unwrap();
        assert_eq!(half.view::<f16>().unwrap(), array![f16::from_f32(0.5), f16::from_f32(-2.0)].into_dyn());
        assert_eq!(half.to_f32().unwrap(), array![0.5, -2.0].into_dyn());
        let narrow = Value::from(array![1_i64, 0]).converted(Dtype::I32).unwrap().unwrap();
        assert_eq!(narrow.view::<i32>().unwrap(), array![1, 0].into_dyn());
        let flags = Value::from(array![true, false]);
        assert_eq!(flags.to_i64().unwrap(), array![1, 0].into_dyn());
        assert!(
            matches!(Value::from(array![7_i64, 0]).converted(Dtype::Bool).unwrap(), Some(Value::Bool(b)) if b == array![true, false].into_dyn())
        );
        assert!(Value::from(array![1.0_f32]).converted(Dtype::I64).unwrap().is_none());
        assert!(Value::from(array![1_i64]).converted(Dtype::F32).unwrap().is_none());
    }

    #[test]
    fn a_wrong_type_or_number_of_elements_is_an_error() {
        assert!(Value::from(array![1_i64]).view::<f32>().unwrap_err().to_string().contains("I64"));
        assert!(Value::from(array![1_i64]).to_f32().is_err());
        assert!(Value::from(array![1.0_f32]).to_i64().is_err());
        let error = Value::new(&[2, 3], vec![0_i64; 5]).unwrap_err();
        assert!(error.to_string().contains("5 elements") && error.to_string().contains("[2, 3]"), "{error}");
    }

    #[test]
    fn a_transposed_array_is_put_in_order() {
        let value = Value::from(arr2(&[[1_i64, 2, 3], [4, 5, 6]]).reversed_axes());
        assert!(!value.is_contiguous());
        let ordered = value.contiguous().unwrap();
        assert_eq!((ordered.shape(), ordered.is_contiguous()), (&[3, 2][..], true));
        assert_eq!(ordered.view::<i64>().unwrap().as_slice().unwrap(), [1, 4, 2, 5, 3, 6]);
    }
}

//! Element types of tensors.

/// The element type of a tensor, in a checkpoint or in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Dtype {
    F32,
    F16,
    BF16,
    F64,
    F8E4M3,
    F8E5M2,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    /// 4-bit signed integers, two to a byte, low nibble first.
    I4,
    /// 4-bit unsigned integers, two to a byte, low nibble first.
    U4,
    /// 4-bit floats of 2 exponent bits and 1 mantissa bit, two to a byte, low nibble first; parts of a number, since blocks of them have scales.
    F4E2M1,
}

impl Dtype {
    /// Bits that one element takes.
    pub fn bits(self) -> u64 {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 64,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 16,
            Self::I8 | Self::U8 | Self::Bool | Self::F8E4M3 | Self::F8E5M2 => 8,
            Self::I4 | Self::U4 | Self::F4E2M1 => 4,
        }
    }

    /// Bytes that a dense tensor of this shape takes; `None` where that does not fit 64 bits.
    pub fn bytes(self, shape: &[usize]) -> Option<u64> {
        let elements = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64))?;
        Some(elements.checked_mul(self.bits())?.div_ceil(8))
    }

    /// Whether this is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16 | Self::F8E4M3 | Self::F8E5M2)
    }

    /// The value of ONNX's `TensorProto.DataType`.
    pub fn onnx(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::U8 => 2,
            Self::I8 => 3,
            Self::U16 => 4,
            Self::I16 => 5,
            Self::I32 => 6,
            Self::I64 => 7,
            Self::Bool => 9,
            Self::F16 => 10,
            Self::F64 => 11,
            Self::U32 => 12,
            Self::U64 => 13,
            Self::BF16 => 16,
            Self::F8E4M3 => 17,
            Self::F8E5M2 => 19,
            Self::U4 => 21,
            Self::I4 => 22,
            Self::F4E2M1 => 23,
        }
    }
}

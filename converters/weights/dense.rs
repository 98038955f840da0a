//! Elements as they lie in a file, made dense or widened.

use super::TensorInfo;
use crate::{Dtype, Error, Result};
use half::{bf16, f16};
use std::borrow::Cow;

/// A view that repeats elements (stride 0) may be larger than its file by this much at most, so that no file asks for absurd memory.
const MAX_REPEATED: u64 = 64 << 20;

/// The dense, row-major bytes of a tensor.
pub(super) fn bytes<'a>(file: &'a [u8], info: &TensorInfo) -> Result<Cow<'a, [u8]>> {
    let span = usize::try_from(info.offset)
        .ok()
        .and_then(|start| file.get(start..)?.get(..usize::try_from(info.len).ok()?))
        .ok_or_else(|| Error::checkpoint("lies beyond the end of the file"))?;
    let Some(strides) = &info.strides else { return Ok(Cow::Borrowed(span)) };

    let dense = info.dtype.bytes(&info.shape).filter(|&n| n <= MAX_REPEATED.max(file.len() as u64));
    let Some(dense) = dense.and_then(|n| usize::try_from(n).ok()) else {
        return Err(Error::unsupported(format!("shape {:?} repeats a few elements too many times", info.shape)));
    };
    gather(span, &info.shape, strides, (info.dtype.bits() / 8) as usize, dense)
        .map(Cow::Owned)
        .ok_or_else(|| Error::checkpoint(format!("strides {strides:?} reach beyond its elements")))
}

/// Copies a strided tensor element by element; `None` where an index falls outside.
fn gather(span: &[u8], shape: &[usize], strides: &[usize], size: usize, dense: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(dense);
    let mut index = vec![0; shape.len()];
    let mut at = 0usize; // element that `index` names
    while out.len() < dense {
        let start = at.checked_mul(size)?;
        out.extend_from_slice(span.get(start..start.checked_add(size)?)?);
        // The next index in row-major order, the last dimension fastest.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at = at.checked_add(strides[axis])?;
            if index[axis] < shape[axis] {
                break;
            }
            at = at.checked_sub(strides[axis].checked_mul(shape[axis])?)?;
            index[axis] = 0;
        }
    }
    Some(out)
}

/// The elements as `f32`; `None` for a type that is no floating-point one.
pub(super) fn to_f32(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    if !dtype.is_float() {
        return None;
    }
    let mut values = vec![0.0; bytes.len() / (dtype.bits() / 8) as usize];
    widen(bytes, dtype, &mut values).then_some(values)
}

/// Writes as many little-endian elements of a floating-point type as there are to `values`; false for any other type.
pub(crate) fn widen(bytes: &[u8], dtype: Dtype, values: &mut [f32]) -> bool {
    fn each<const N: usize>(bytes: &[u8], values: &mut [f32], widen: impl Fn([u8; N]) -> f32) {
        values.iter_mut().zip(bytes.as_chunks::<N>().0).for_each(|(value, element)| *value = widen(*element));
    }
    match dtype {
        Dtype::F64 => each(bytes, values, |b| f64::from_le_bytes(b) as f32),
        Dtype::F32 => each(bytes, values, f32::from_le_bytes),
        Dtype::F16 => each(bytes, values, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, values, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F8E4M3 => each(bytes, values, |[b]| f8e4m3(b)),
        // The upper half of an f16.
        Dtype::F8E5M2 => each(bytes, values, |[b]| f16::from_le_bytes([0, b]).to_f32()),
        _ => return false,
    }
    true
}

/// An 8-bit float of 4 exponent bits with bias 7, 3 mantissa bits, no infinity, NaN where all bits below the sign are set.
fn f8e4m3(bits: u8) -> f32 {
    let (exponent, mantissa) = (bits >> 3 & 0xf, f32::from(bits & 7));
    let magnitude = match (exponent, bits & 7) {
        (0xf, 7) => f32::NAN,
        (0, _) => mantissa / 512.0,
        _ => (1.0 + mantissa / 8.0) * 2f32.powi(i32::from(exponent) - 7),
    };
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_floats_widen_exactly() {
        for (bits, value) in [(0x00, 0.0), (0x01, 0.001953125), (0x08, 0.015625), (0x38, 1.0), (0x7e, 448.0), (0xb8, -1.0), (0x3c, 1.5)] {
            assert_eq!(to_f32(&[bits], Dtype::F8E4M3), Some(vec![value]), "{bits:#x}");
        }
        assert!(f8e4m3(0x7f).is_nan() && f8e4m3(0xff).is_nan());
        assert_eq!(to_f32(&[0x3c, 0xbe, 0x7c], Dtype::F8E5M2), Some(vec![1.0, -1.5, f32::INFINITY]));
    }

    #[test]
    fn strided_views_become_dense() {
        let span: Vec<u8> = (0..12).collect();
        assert_eq!(gather(&span, &[4, 3], &[1, 4], 1, 12), Some(vec![0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]));
        assert_eq!(gather(&span, &[2, 2], &[2, 1], 2, 8), Some(vec![0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(gather(&span, &[3], &[0], 2, 6), Some(vec![0, 1, 0, 1, 0, 1]));
        assert_eq!(gather(&span, &[4, 3], &[4, 4], 1, 12), None);
    }
}

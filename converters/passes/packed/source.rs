//! The bytes of a packed weight, and whether `MatMulNBits` can have it.

use std::sync::Arc;

use super::Accuracy;
use crate::{
    Dtype, Error, Result,
    graph::Data,
    passes::readers::with_bytes,
    quantize::{Bits, Layout, Packing, Unpacked},
    weights::dense::widen,
};

/// How a weight fits the operator.
#[derive(Clone)]
pub(super) struct Fit {
    /// Columns of a block.
    pub(super) block: usize,
    /// The order of columns in which groups lie together, if it is not their own.
    pub(super) order: Option<Arc<[usize]>>,
    pub(super) symmetric: bool,
    /// Whether it is the sum of two in 4 bits.
    pub(super) halves: bool,
}

/// Where the bytes of a weight are.
pub(in crate::passes) struct Source {
    pub(super) packing: Packing,
    pub(super) values: Data,
    pub(super) dtype: Dtype,
    pub(super) scales: (Data, Dtype),
    /// What scales are multiplied with.
    pub(super) factor: f32,
    pub(super) zeros: Option<Data>,
    /// The group of each column.
    pub(super) groups: Vec<usize>,
}

impl Source {
    pub(super) fn unpacked(&self) -> Result<Unpacked> {
        let (scales, dtype) = &self.scales;
        let scales = with_bytes(scales, |bytes| {
            let mut wide = vec![0.0; bytes.len() * 8 / dtype.bits().max(1) as usize];
            if *dtype == Dtype::U8 {
                // Exponents, from -127 on.
                wide.iter_mut().zip(bytes).for_each(|(scale, exponent)| *scale = 2f32.powi(i32::from(*exponent) - 127));
            } else if !widen(bytes, *dtype, &mut wide) {
                return Err(Error::tensor(format!("scales of type {dtype:?}")));
            }
            wide.iter_mut().for_each(|scale| *scale *= self.factor);
            Ok(wide)
        })?;
        let zeros = self.zeros.as_ref().map(|zeros| with_bytes(zeros, |bytes| Ok(bytes.to_vec()))).transpose()?;
        with_bytes(&self.values, |values| Ok(self.packing.unpack(values, &scales, zeros.as_deref(), self.groups.clone())))
    }

    /// The weights as floats.
    pub(in crate::passes) fn dense(&self) -> Result<Vec<f32>> {
        Ok(self.unpacked()?.dense(|byte| {
            let mut value = [0.0];
            widen(&[byte], self.dtype, &mut value);
            value[0]
        }))
    }

    /// How the operator can have this weight: `None` where a block would have several scales.
    pub(super) fn fit(&self, float: Dtype, accuracy: Accuracy) -> Result<Option<Fit>> {
        const BLOCKS: [usize; 5] = [256, 128, 64, 32, 16];
        let Packing { layout, columns, group, .. } = self.packing;
        if layout == Layout::Floats || !matches!(float, Dtype::F32 | Dtype::F16) {
            return Ok(None);
        }
        // Groups that are as long as a row need not be cut at their end.
        let block = BLOCKS
            .into_iter()
            .find(|block| if group >= columns { *block < 2 * columns || *block == 16 } else { group.is_multiple_of(*block) });
        let Some(block) = block else { return Ok(None) };
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by_key(|&column| self.groups.get(column).copied().unwrap_or_default());
        let own = order.iter().enumerate().all(|(place, column)| place == *column);
        // In that order the groups must be as long as they are without one.
        let even = order.iter().enumerate().all(|(place, column)| self.groups.get(*column) == Some(&(place / group.max(1))));
        if !even {
            return Ok(None);
        }
        let zeros = self.zeros.as_ref().map(|zeros| with_bytes(zeros, |bytes| Ok(bytes.to_vec()))).transpose()?;
        let symmetric = self.packing.is_symmetric(zeros.as_deref());
        // In 32-bit floats, ONNX Runtime computes with weights of 8 bits by widening all of them each time, sixty times slower.
        let halves = self.packing.stored_bits() == Bits::Eight && accuracy == Accuracy::Full;
        Ok(Some(Fit { block, order: (!own).then(|| order.into()), symmetric, halves }))
    }
}

/// The groups of columns as a checkpoint lists them.
pub(super) fn groups(bytes: &[u8], dtype: Dtype, packing: &Packing) -> Result<Vec<usize>> {
    let listed: Vec<i64> = match dtype {
        Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|n| i64::from_le_bytes(*n)).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|n| i64::from(i32::from_le_bytes(*n))).collect(),
    };
    // compressed-tensors leaves -1 where no order was made.
    if listed.iter().all(|&group| group == -1) {
        return Ok(packing.places());
    }
    let group = |&group: &i64| usize::try_from(group).ok().filter(|group| *group < packing.groups());
    listed.iter().map(|n| group(n).ok_or_else(|| Error::tensor(format!("group {n} of a column is none of {}", packing.groups())))).collect()
}

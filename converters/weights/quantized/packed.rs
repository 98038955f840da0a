//! The tensors of a quantized layer.

use super::Tensors;
use crate::{
    Dtype, Error, Result,
    quantize::{Layout, Packing},
};

/// The tensors of one linear layer; names are whole keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    pub(crate) packing: Packing,
    /// What scales are multiplied with.
    pub(crate) factor: f32,
    pub(crate) values: String,
    pub(crate) scales: String,
    pub(crate) zeros: Option<String>,
    /// The group of each column, where it is not that of its place.
    pub(crate) groups: Option<String>,
}

impl Packed {
    /// An error where a tensor has not the size or the type that the others ask for.
    pub(super) fn check(&self, tensors: &Tensors) -> Result<()> {
        let Packing { layout, rows, columns, .. } = self.packing;
        let whole = |dtype: Dtype| match layout {
            Layout::Bytes | Layout::Floats | Layout::HalfSteps => dtype.bits() == 8,
            _ => dtype == Dtype::I32,
        };
        let count = |shape: [usize; 2]| shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        // Unpacked, it must be countable.
        let sized = count([rows, columns]).and_then(|n| n.checked_mul(4)).is_some();
        let mut wanted = vec![(&self.values, count(self.packing.values_shape())), (&self.scales, count(self.packing.scales_shape()))];
        wanted.extend(self.zeros.iter().map(|key| (key, count(self.packing.zeros_shape()))));
        wanted.extend(self.groups.iter().map(|key| (key, Some(columns))));
        for (key, elements) in wanted {
            let Some(info) = tensors.get(key) else { continue };
            let right = if *key == self.scales {
                info.dtype.is_float() || (layout == Layout::HalfSteps && info.dtype == Dtype::U8)
            } else if Some(key) == self.groups.as_ref() {
                matches!(info.dtype, Dtype::I32 | Dtype::I64)
            } else {
                whole(info.dtype)
            };
            if !right || !sized || elements != Some(info.shape.iter().product()) {
                return Err(Error::tensor(format!(
                    "tensor {key} of {:?} has shape {:?}, which does not fit a quantized weight of [{rows}, {columns}]",
                    info.dtype, info.shape
                )));
            }
        }
        Ok(())
    }
}

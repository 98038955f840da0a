//! What bitsandbytes says of a weight in 4-bit floats: a JSON object beside it, as the bytes of a tensor.

use serde::Deserialize;

use super::Tensors;
use crate::{Dtype, Error, Result};

/// A weight of 4-bit floats in blocks, two to a byte, the first in the upper half.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct FourBits {
    pub(crate) quant_type: Kind,
    /// Weights that share a scale.
    pub(crate) blocksize: usize,
    pub(crate) shape: [usize; 2],
    /// Scales that share one of their own.
    #[serde(default)]
    pub(crate) nested_blocksize: Option<usize>,
    /// What is added to scales that have one of their own.
    #[serde(default)]
    pub(crate) nested_offset: Option<f32>,
}

/// Which floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Fp4,
    Nf4,
}

impl FourBits {
    /// What stands beside the weight `key`; `None` where it is not in 4-bit floats.
    ///
    /// # Errors
    /// An object of another form, or tensors that do not fit it.
    pub(crate) fn of(tensors: &Tensors, key: &str) -> Result<Option<Self>> {
        let state = |kind: &str| Some(format!("{key}.quant_state.bitsandbytes__{kind}")).filter(|key| tensors.get(key).is_some());
        let Some(state) = state("nf4").or_else(|| state("fp4")) else { return Ok(None) };
        let found: Self =
            serde_json::from_slice(&tensors.bytes(&state)?).map_err(|error| Error::tensor(format!("tensor {state}: {error}")))?;
        found.check(tensors, key).map(|()| Some(found))
    }

    /// Scales.
    pub(crate) fn blocks(&self) -> usize {
        self.shape.iter().product::<usize>().div_ceil(self.blocksize.max(1))
    }

    /// An error where a tensor is not as the object says.
    fn check(&self, tensors: &Tensors, key: &str) -> Result<()> {
        let [rows, columns] = self.shape;
        let weights = rows.checked_mul(columns).filter(|n| n.checked_mul(4).is_some() && n.is_multiple_of(2));
        let whole = self.blocksize >= 16 && self.blocksize.is_power_of_two() && weights.is_some_and(|n| n.is_multiple_of(self.blocksize));
        let nested = self.nested_blocksize.is_some();
        let groups = self.nested_blocksize.map_or(0, |size| self.blocks().div_ceil(size.max(1)));
        let mut wanted = vec![
            (String::new(), Dtype::U8, weights.unwrap_or_default() / 2),
            (".absmax".into(), if nested { Dtype::U8 } else { Dtype::F32 }, self.blocks()),
            (".quant_map".into(), Dtype::F32, 16),
        ];
        if nested {
            wanted.extend([(".nested_absmax".into(), Dtype::F32, groups), (".nested_quant_map".into(), Dtype::F32, 256)]);
        }
        for (end, dtype, count) in wanted {
            let info = tensors.get(&format!("{key}{end}"));
            if !whole || info.is_none_or(|info| info.dtype != dtype || info.shape.iter().product::<usize>() != count) {
                return Err(Error::tensor(format!(
                    "tensor {key}{end} is not what bitsandbytes stores for a weight of [{rows}, {columns}] in blocks of {}",
                    self.blocksize
                )));
            }
        }
        Ok(())
    }
}

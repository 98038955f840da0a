//! Weights of quantized checkpoints.

use super::{Store, Weights};
use crate::{
    Error, Result,
    graph::{Data, Tensor},
    passes,
    weights::{four_bits::FourBits, quantized::Packed},
};

impl Weights {
    /// Whether the `weight` of this scope is `[out, in]` because it is quantized, whatever way round the model has it.
    pub fn is_packed(&self) -> bool {
        self.packed("weight").is_some() || self.four_bits("weight").is_some()
    }

    /// Whether the `weight` of this scope is in the 4-bit floats of bitsandbytes.
    pub(crate) fn is_four_bits(&self) -> bool {
        self.four_bits("weight").is_some()
    }

    /// A weight that is quantized.
    pub(super) fn quantized(&self, name: &str) -> Option<Tensor> {
        let key = self.key(name);
        if let Some(packed) = self.packed(name) {
            return Some(self.kept(&key, || self.unpacked(&packed)));
        }
        let about = self.four_bits(name)?;
        Some(self.kept(&key, || {
            let part = |end: &str| self.raw(&format!("{key}{end}")).map_err(|error| self.fail(error)).ok();
            let (values, scales, map) = (part("")?, part(".absmax")?, part(".quant_map")?);
            let scales = match about.nested_blocksize {
                Some(_) => passes::nested(&about, [&scales, &part(".nested_quant_map")?, &part(".nested_absmax")?]),
                None => scales,
            };
            passes::four_bits(&self.store.graph, &about, [&values, &scales, &map])
        }))
    }

    /// What bitsandbytes says of a weight.
    pub(super) fn four_bits(&self, name: &str) -> Option<FourBits> {
        let (quantization, key) = (self.store.quantization.as_ref()?, self.key(name));
        quantization.four_bits(&self.store.tensors, &key).unwrap_or_else(|error| {
            self.fail(error);
            None
        })
    }

    /// What a quantized checkpoint has in place of a `weight`.
    pub(super) fn packed(&self, name: &str) -> Option<Packed> {
        let (quantization, key) = (self.store.quantization.as_ref()?, self.key(name));
        let scope = key.strip_suffix(".weight")?;
        quantization.packed(&self.store.tensors, scope).unwrap_or_else(|error| {
            self.fail(error);
            None
        })
    }

    /// A weight that is made once, however many ask for it.
    fn kept(&self, key: &str, make: impl FnOnce() -> Option<Tensor>) -> Tensor {
        let Store { graph, tensors, used, loaded, .. } = &*self.store;
        if let Some(tensor) = loaded.borrow().get(key) {
            return tensor.clone();
        }
        // Programs that quantize leave more than they read: biases of zeros, scales of inputs.
        let scope = key.strip_suffix("weight").unwrap_or(key);
        used.borrow_mut().extend(tensors.names().filter(|name| name.starts_with(scope)).map(str::to_string));
        let tensor = make().unwrap_or_else(|| graph.floats(&[1, 1], &[0.0]));
        loaded.borrow_mut().insert(key.to_string(), tensor.clone());
        tensor
    }

    /// The weight that a pass makes of these tensors.
    fn unpacked(&self, packed: &Packed) -> Option<Tensor> {
        let raw = |key: &String| self.raw(key).map_err(|error| self.fail(error)).ok();
        let parts = [raw(&packed.values), raw(&packed.scales), packed.zeros.as_ref().and_then(raw), packed.groups.as_ref().and_then(raw)];
        passes::packed(&self.store.graph, &packed.packing, packed.factor, parts.each_ref().map(Option::as_ref))
    }

    /// The tensor as it is stored.
    fn raw(&self, key: &str) -> Result<Tensor> {
        let (graph, tensors) = (&self.store.graph, &self.store.tensors);
        let info = tensors.get(key).ok_or_else(|| Error::tensor(format!("no tensor {key}")))?;
        let data = match info.strides {
            None => Data::Stored { file: self.store.files[info.file].clone(), offset: info.offset, len: info.len },
            Some(_) => Data::Inline(tensors.bytes(key)?.into_owned().into()),
        };
        Ok(graph.stored(key, info.dtype, &info.shape, data))
    }
}

//! Weights of quantized checkpoints.

use std::ops::Range;

use super::{Store, Weights};
use crate::{
    Dtype, Error, Result,
    graph::{Data, Tensor},
    passes,
    quantize::{Layout, Packing},
    weights::{
        four_bits::FourBits,
        quantized::{Packed, Quantization},
    },
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

    /// Whether a tensor that stacks matrices holds 8-bit floats, which have scales beside them.
    pub(super) fn is_scaled(&self, name: &str) -> bool {
        let info = self.find(name).and_then(|key| self.store.tensors.get(&key));
        info.is_some_and(|info| matches!(info.dtype, Dtype::F8E4M3 | Dtype::F8E5M2)) && self.scales_of(name).is_some()
    }

    /// The scales beside a tensor that stacks matrices.
    fn scales_of(&self, name: &str) -> Option<String> {
        ["_scale", "_scale_inv"].map(|end| format!("{name}{end}")).into_iter().find(|name| self.find(name).is_some())
    }

    /// Rows of one of the matrices of 8-bit floats that a tensor stacks, each `[rows, columns]`. Its scales are `[rows, columns]` as well,
    /// with 1 where all have the same and fewer where blocks do; those of `fbgemm` are of columns, whichever way they lie.
    pub(super) fn scaled_part(&self, name: &str, index: usize, part: Range<usize>, [rows, columns]: [usize; 2]) -> Result<Tensor> {
        let quantization = self.store.quantization.as_ref();
        let scales = self.scales_of(name).unwrap_or_default();
        let shape = self.shape(&scales).unwrap_or_default();
        let misfit =
            || Error::tensor(format!("tensor {} has shape {shape:?}, which does not fit {rows} rows of {columns}", self.key(&scales)));
        let [_, lines, width] = <[usize; 3]>::try_from(shape.clone()).map_err(|_| misfit())?;
        let by_columns = quantization.is_some_and(Quantization::scales_columns) && width == 1;
        let [lines, width] = if by_columns { [1, lines] } else { [lines, width] };
        let size = |all: usize, count: usize| Some(all.checked_div(count)?.max(1)).filter(|size| all.div_ceil(*size) == count);
        let (row_group, group) = size(rows, lines).zip(size(columns, width)).ok_or_else(misfit)?;
        let first = if lines == 1 { 0 } else { part.start / row_group };
        if lines > 1 && !part.start.is_multiple_of(row_group) {
            return Err(misfit());
        }
        let row_group = row_group.min(part.len().max(1));
        let packing = Packing { layout: Layout::Floats, bits: 8, rows: part.len(), columns, group, row_group, zero_offset: 0 };
        let (graph, count) = (&self.store.graph, packing.scale_rows());
        let stored = |name: &str, first: usize, shape: &[usize]| {
            let (key, data) = self.part_data(name, first, shape)?;
            Ok::<_, Error>(graph.stored(&format!("{key}[{first}]"), self.info(&key)?.dtype, shape, data))
        };
        let values = stored(name, (index * rows + part.start) * columns, &[part.len(), columns])?;
        let scales = stored(&scales, (index * lines + first) * width, &[count, width])?;
        passes::packed(graph, &packing, 1.0, [Some(&values), Some(&scales), None, None]).ok_or_else(misfit)
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

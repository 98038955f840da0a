//! What the tensors of a quantized layer are, by the method that made it.

use super::{Arguments, Packed, Quantization, Tensors};
use crate::{
    Dtype, Error, Result,
    quantize::{Layout, Packing},
};

impl Quantization {
    pub(super) fn gptq(&self, tensors: &Tensors, values: String, groups: Option<String>, key: Find) -> Result<Packed> {
        let [words, rows] = matrix(tensors, &values)?;
        // Layers may have other numbers of bits than the config says.
        let columns = groups.as_ref().and_then(|key| tensors.get(key)).map(|order| order.shape.iter().product::<usize>());
        let bits = columns.map(|columns| words * 32 / columns.max(1)).or(self.config.bits).unwrap_or(4);
        if !matches!(bits, 2 | 3 | 4 | 8) {
            return Err(Error::unsupported(format!("tensor {values}: GPTQ in {bits} bits is not known, only in 2, 3, 4 and 8")));
        }
        let columns = columns.unwrap_or(words * 32 / bits);
        let scales = needed(key, "scales", &values)?;
        let [lines, _] = matrix(tensors, &scales)?;
        let zero_offset = usize::from(self.config.checkpoint_format.as_deref() != Some("gptq_v2"));
        let group = group(columns, lines, self.config.group_size, &scales)?;
        let packing = Packing { layout: Layout::Gptq, bits, rows, columns, group, row_group: 1, zero_offset };
        Ok(Packed { packing, factor: 1.0, values, scales, zeros: key("qzeros"), groups })
    }

    pub(super) fn awq(&self, tensors: &Tensors, values: String, key: Find) -> Result<Packed> {
        if self.config.bits.is_some_and(|bits| bits != 4) {
            return Err(Error::unsupported("config.json: quantization_config: AWQ is known with 4 bits only"));
        }
        let [first, second] = matrix(tensors, &values)?;
        let scales = needed(key, "scales", &values)?;
        if self.config.version.as_deref().is_some_and(|version| version.eq_ignore_ascii_case("gemv")) {
            let (rows, columns) = (first, second.saturating_mul(8));
            let group = self.config.group_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(columns);
            let packing = Packing { layout: Layout::Gemv, bits: 4, rows, columns, group, row_group: 1, zero_offset: 0 };
            return Ok(Packed { packing, factor: 1.0, values, scales, zeros: key("qzeros"), groups: None });
        }
        let (columns, words) = (first, second);
        let [lines, _] = matrix(tensors, &scales)?;
        let group = group(columns, lines, self.config.group_size, &scales)?;
        let packing = Packing { layout: Layout::Awq, bits: 4, rows: words * 8, columns, group, row_group: 1, zero_offset: 0 };
        Ok(Packed { packing, factor: 1.0, values, scales, zeros: key("qzeros"), groups: None })
    }

    pub(super) fn rows(&self, tensors: &Tensors, values: String, scales: String, key: Find) -> Result<Packed> {
        let [rows, words] = matrix(tensors, &values)?;
        let arguments = self.arguments();
        let columns = match key("weight_shape") {
            Some(shape) => last_number(tensors, &shape)?,
            None => words * (32 / arguments.num_bits.unwrap_or(4).clamp(1, 32)),
        };
        // With groups of several kinds, the number of words tells.
        let bits = arguments.num_bits.unwrap_or_else(|| 32 / columns.div_ceil(words.max(1)).max(1));
        if !(2..=8).contains(&bits) {
            return Err(Error::unsupported(format!("tensor {values}: integers of {bits} bits are not known, only of 2 to 8")));
        }
        let packing = Packing { layout: Layout::Rows, bits, rows, columns, group: 1, row_group: 1, zero_offset: 0 };
        let packing = self.scaled(tensors, &scales, packing)?;
        Ok(Packed { packing, factor: 1.0, values, scales, zeros: key("weight_zero_point"), groups: key("weight_g_idx") })
    }

    /// 4-bit floats, whose scales may have one of their own: to divide by (compressed-tensors), or to multiply with (ModelOpt).
    pub(super) fn half_steps(&self, tensors: &Tensors, values: String, scales: String, key: Find) -> Result<Packed> {
        let [rows, bytes] = matrix(tensors, &values)?;
        let columns = bytes.saturating_mul(2);
        let packing = Packing { layout: Layout::HalfSteps, bits: 8, rows, columns, group: 1, row_group: 1, zero_offset: 0 };
        let packing = self.scaled(tensors, &scales, packing)?;
        let whole = match (key("weight_global_scale"), key("weight_scale_2")) {
            (Some(divisor), _) => 1.0 / number(tensors, &divisor)?,
            (None, Some(factor)) => number(tensors, &factor)?,
            (None, None) => 1.0,
        };
        Ok(Packed { packing, factor: 0.5 * whole, values, scales, zeros: None, groups: None })
    }

    /// bitsandbytes in 8 bits: of each row its largest magnitude, which 127 stands for.
    pub(super) fn statistics(&self, tensors: &Tensors, values: String, scales: String) -> Result<Packed> {
        let [rows, columns] = matrix(tensors, &values)?;
        let packing = Packing { layout: Layout::Bytes, bits: 8, rows, columns, group: columns.max(1), row_group: 1, zero_offset: 0 };
        Ok(Packed { packing, factor: 1.0 / 127.0, values, scales, zeros: None, groups: None })
    }

    /// Integers or floats of 8 bits; `None` where the weight is wider.
    pub(super) fn bytes(&self, tensors: &Tensors, values: String, scales: String, key: Find) -> Result<Option<Packed>> {
        let layout = match tensors.get(&values).map(|info| info.dtype) {
            Some(Dtype::I8) => Layout::Bytes,
            Some(Dtype::F8E4M3 | Dtype::F8E5M2) => Layout::Floats,
            _ => return Ok(None),
        };
        let [rows, columns] = matrix(tensors, &values)?;
        let packing = Packing { layout, bits: 8, rows, columns, group: 1, row_group: 1, zero_offset: 0 };
        let packing = self.scaled(tensors, &scales, packing)?;
        let zeros = key("weight_zero_point").filter(|_| layout == Layout::Bytes);
        Ok(Some(Packed { packing, factor: 1.0, values, scales, zeros, groups: key("weight_g_idx") }))
    }

    /// What all groups of the config say.
    fn arguments(&self) -> Arguments {
        let mut all = self.config.config_groups.values().filter_map(|group| group.weights.as_ref());
        let first = all.next().cloned().unwrap_or_default();
        all.fold(first, |same, other| Arguments {
            num_bits: same.num_bits.filter(|bits| other.num_bits == Some(*bits)),
            group_size: same.group_size.filter(|size| other.group_size == Some(*size)),
        })
    }

    /// With the groups of scales `[row groups, groups]`, a number for each row, or one for all.
    fn scaled(&self, tensors: &Tensors, scales: &str, packing: Packing) -> Result<Packing> {
        let shape = tensors.get(scales).map(|info| info.shape.clone()).unwrap_or_default();
        let (lines, width) = match shape.as_slice() {
            [] => (1, 1),
            [lines] => (*lines, 1),
            [lines, width] => (*lines, *width),
            _ => return Err(Error::tensor(format!("tensor {scales} has shape {shape:?}, but scales have two dimensions"))),
        };
        let [block_rows, block_columns] = self.config.weight_block_size.map_or([None; 2], |sizes| sizes.map(|size| Some(size as i64)));
        let row_group = if lines == packing.rows { 1 } else { group(packing.rows, lines, block_rows, scales)? };
        let group = group(packing.columns, width, block_columns.or(self.arguments().group_size), scales)?;
        Ok(Packing { row_group, group, ..packing })
    }
}

/// The key of a tensor of the layer, if the checkpoint has it.
pub(super) type Find<'a> = &'a dyn Fn(&str) -> Option<String>;

fn needed(key: Find, name: &str, beside: &str) -> Result<String> {
    key(name).ok_or_else(|| Error::tensor(format!("the checkpoint lacks {name} beside {beside}")))
}

fn matrix(tensors: &Tensors, key: &str) -> Result<[usize; 2]> {
    let shape = tensors.get(key).map(|info| info.shape.clone()).unwrap_or_default();
    <[usize; 2]>::try_from(shape).map_err(|shape| Error::tensor(format!("tensor {key} has shape {shape:?}, but two dimensions are needed")))
}

/// Whether a tensor holds bytes.
pub(super) fn is_bytes(tensors: &Tensors, key: &str) -> bool {
    tensors.get(key).is_some_and(|info| info.dtype == Dtype::U8)
}

/// A tensor's only number.
fn number(tensors: &Tensors, key: &str) -> Result<f32> {
    match tensors.to_f32(key)?.as_slice() {
        [number] => Ok(*number),
        numbers => Err(Error::tensor(format!("tensor {key} has {} numbers, but one is needed", numbers.len()))),
    }
}

/// The last of a tensor's 64-bit integers.
fn last_number(tensors: &Tensors, key: &str) -> Result<usize> {
    let bytes = tensors.bytes(key)?;
    let number = bytes.last_chunk::<8>().map(|bytes| i64::from_le_bytes(*bytes)).and_then(|n| usize::try_from(n).ok());
    number.ok_or_else(|| Error::tensor(format!("tensor {key} does not hold a shape")))
}

/// How many of so many columns share a scale, where there are this many scales.
fn group(columns: usize, groups: usize, said: Option<i64>, scales: &str) -> Result<usize> {
    if groups <= 1 {
        return Ok(columns.max(1));
    }
    let said = said.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0 && columns.div_ceil(*size) == groups);
    let even = (columns.is_multiple_of(groups) && columns > 0).then(|| columns / groups);
    said.or(even).ok_or_else(|| Error::tensor(format!("tensor {scales} has {groups} groups, which do not divide a width of {columns}")))
}

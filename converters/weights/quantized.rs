//! Quantized checkpoints: which tensors make a weight, as `quantization_config` of `config.json` says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Tensors, four_bits::FourBits};
use crate::{
    Dtype, Error, Result,
    quantize::{Layout, Packing},
};

/// How a checkpoint is quantized.
#[derive(Debug, Clone)]
pub(crate) struct Quantization {
    method: Method,
    config: Config,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Gptq,
    Awq,
    /// compressed-tensors, and 8-bit floats with scales.
    Scaled,
    /// bitsandbytes in 4 bits.
    FourBits,
}

/// The names of methods.
const METHODS: &[(&str, Method)] = &[
    ("gptq", Method::Gptq),
    ("awq", Method::Awq),
    ("compressed-tensors", Method::Scaled),
    ("fp8", Method::Scaled),
    ("bitsandbytes", Method::FourBits),
];

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Config {
    bits: Option<usize>,
    group_size: Option<i64>,
    checkpoint_format: Option<String>,
    version: Option<String>,
    format: Option<String>,
    config_groups: BTreeMap<String, Group>,
    weight_block_size: Option<[usize; 2]>,
    load_in_4bit: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Group {
    weights: Option<Arguments>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Arguments {
    num_bits: Option<usize>,
    group_size: Option<i64>,
}

/// The tensors of one linear layer; names are whole keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) packing: Packing,
    pub(crate) values: String,
    pub(crate) scales: String,
    pub(crate) zeros: Option<String>,
    /// The group of each column, where it is not that of its place.
    pub(crate) groups: Option<String>,
}

impl Quantization {
    /// What `config.json` says; `None` where the weights are plain, or quantized in a way that is not known here.
    ///
    /// # Errors
    /// Fields of the wrong kind, or a known method in a format that is not.
    pub(crate) fn of(config: &Value) -> Result<Option<Self>> {
        let Some(section) = config.get("quantization_config").filter(|section| section.is_object()) else { return Ok(None) };
        let at = "config.json: quantization_config";
        let named = section.get("quant_method").and_then(Value::as_str);
        let Some((_, method)) = METHODS.iter().find(|(name, _)| Some(*name) == named) else { return Ok(None) };
        let config = Config::deserialize(section).map_err(|error| Error::config(format!("{at}: {error}")))?;
        let known = |field: &str, value: &Option<String>, formats: &[&str]| match value {
            Some(format) if !formats.contains(&format.as_str()) => {
                Err(Error::unsupported(format!("{at}: {field} {format:?} is not known, only {}", formats.join(", "))))
            }
            _ => Ok(()),
        };
        match method {
            Method::Gptq => known("checkpoint_format", &config.checkpoint_format, &["gptq", "gptq_v2"])?,
            Method::Awq => known("version", &config.version, &["gemm", "GEMM"])?,
            Method::FourBits if !config.load_in_4bit => {
                return Err(Error::unsupported(format!("{at}: bitsandbytes is known with load_in_4bit only")));
            }
            Method::FourBits => {}
            Method::Scaled => {
                known("format", &config.format, &["pack-quantized", "int-quantized", "naive-quantized", "float-quantized", "dense"])?;
            }
        }
        Ok(Some(Self { method: *method, config }))
    }

    /// What `config.json` says of a method that [`Quantization::of`] does not know.
    pub(crate) fn unknown(config: &Value) -> Option<String> {
        let method = config.get("quantization_config")?.get("quant_method")?.as_str()?;
        let known = METHODS.iter().any(|(name, _)| *name == method);
        let names = || METHODS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        (!known).then(|| format!("config.json: quantization_config: quant_method {method:?} is not known, only {}", names()))
    }

    /// The weight `key` in 4-bit floats, if it is so.
    ///
    /// # Errors
    /// Tensors that do not fit together.
    pub(crate) fn four_bits(&self, tensors: &Tensors, key: &str) -> Result<Option<FourBits>> {
        if self.method == Method::FourBits { FourBits::of(tensors, key) } else { Ok(None) }
    }

    /// The tensors that stand for `{scope}.weight`; `None` where the checkpoint has it plain, or not at all.
    ///
    /// # Errors
    /// Tensors whose shapes do not fit together.
    pub(crate) fn packed(&self, tensors: &Tensors, scope: &str) -> Result<Option<Packed>> {
        let key = |name: &str| Some(format!("{scope}.{name}")).filter(|key| tensors.get(key).is_some());
        let found = match self.method {
            Method::FourBits => None,
            Method::Gptq => key("qweight").map(|values| self.gptq(tensors, values, key("g_idx"), &key)),
            Method::Awq => key("qweight").map(|values| self.awq(tensors, values, &key)),
            Method::Scaled => match (key("weight_packed"), key("weight"), key("weight_scale").or_else(|| key("weight_scale_inv"))) {
                (Some(values), _, Some(scales)) => Some(self.rows(tensors, values, scales, &key)),
                (None, Some(values), Some(scales)) => self.bytes(tensors, values, scales, &key).transpose(),
                _ => None,
            },
        };
        let Some(packed) = found.transpose()? else { return Ok(None) };
        packed.check(tensors)?;
        Ok(Some(packed))
    }

    fn gptq(&self, tensors: &Tensors, values: String, groups: Option<String>, key: Find) -> Result<Packed> {
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
        Ok(Packed { packing, values, scales, zeros: key("qzeros"), groups })
    }

    fn awq(&self, tensors: &Tensors, values: String, key: Find) -> Result<Packed> {
        if self.config.bits.is_some_and(|bits| bits != 4) {
            return Err(Error::unsupported("config.json: quantization_config: AWQ is known with 4 bits only"));
        }
        let [columns, words] = matrix(tensors, &values)?;
        let scales = needed(key, "scales", &values)?;
        let [lines, _] = matrix(tensors, &scales)?;
        let group = group(columns, lines, self.config.group_size, &scales)?;
        let packing = Packing { layout: Layout::Awq, bits: 4, rows: words * 8, columns, group, row_group: 1, zero_offset: 0 };
        Ok(Packed { packing, values, scales, zeros: key("qzeros"), groups: None })
    }

    fn rows(&self, tensors: &Tensors, values: String, scales: String, key: Find) -> Result<Packed> {
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
        Ok(Packed { packing, values, scales, zeros: key("weight_zero_point"), groups: key("weight_g_idx") })
    }

    /// Integers or floats of 8 bits; `None` where the weight is wider.
    fn bytes(&self, tensors: &Tensors, values: String, scales: String, key: Find) -> Result<Option<Packed>> {
        let layout = match tensors.get(&values).map(|info| info.dtype) {
            Some(Dtype::I8) => Layout::Bytes,
            Some(Dtype::F8E4M3 | Dtype::F8E5M2) => Layout::Floats,
            _ => return Ok(None),
        };
        let [rows, columns] = matrix(tensors, &values)?;
        let packing = Packing { layout, bits: 8, rows, columns, group: 1, row_group: 1, zero_offset: 0 };
        let packing = self.scaled(tensors, &scales, packing)?;
        let zeros = key("weight_zero_point").filter(|_| layout == Layout::Bytes);
        Ok(Some(Packed { packing, values, scales, zeros, groups: key("weight_g_idx") }))
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
type Find<'a> = &'a dyn Fn(&str) -> Option<String>;

fn needed(key: Find, name: &str, beside: &str) -> Result<String> {
    key(name).ok_or_else(|| Error::tensor(format!("the checkpoint lacks {name} beside {beside}")))
}

fn matrix(tensors: &Tensors, key: &str) -> Result<[usize; 2]> {
    let shape = tensors.get(key).map(|info| info.shape.clone()).unwrap_or_default();
    <[usize; 2]>::try_from(shape).map_err(|shape| Error::tensor(format!("tensor {key} has shape {shape:?}, but two dimensions are needed")))
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

impl Packed {
    /// An error where a tensor has not the size or the type that the others ask for.
    fn check(&self, tensors: &Tensors) -> Result<()> {
        let Packing { layout, rows, columns, .. } = self.packing;
        let whole = |dtype: Dtype| match layout {
            Layout::Bytes | Layout::Floats => dtype.bits() == 8,
            _ => dtype == Dtype::I32,
        };
        let count = |shape: [usize; 2]| shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        let scales = match layout {
            Layout::Gptq | Layout::Awq => [self.packing.groups(), rows],
            _ => [self.packing.scale_rows(), self.packing.groups()],
        };
        // Unpacked, it must be countable.
        let sized = count([rows, columns]).and_then(|n| n.checked_mul(4)).is_some();
        let mut wanted = vec![(&self.values, count(self.packing.values_shape())), (&self.scales, count(scales))];
        wanted.extend(self.zeros.iter().map(|key| (key, count(self.packing.zeros_shape()))));
        wanted.extend(self.groups.iter().map(|key| (key, Some(columns))));
        for (key, elements) in wanted {
            let Some(info) = tensors.get(key) else { continue };
            let right = if *key == self.scales {
                info.dtype.is_float()
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

//! Quantized checkpoints: which tensors make a weight, as `quantization_config` of `config.json` says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

mod layers;
mod packed;

use super::{Tensors, four_bits::FourBits};
use crate::{Error, Result};
use layers::is_bytes;
pub(crate) use packed::Packed;

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
    /// bitsandbytes, in 4 bits or in 8.
    Bnb,
}

/// The names of methods.
const METHODS: &[(&str, Method)] = &[
    ("gptq", Method::Gptq),
    ("awq", Method::Awq),
    ("compressed-tensors", Method::Scaled),
    ("fp8", Method::Scaled),
    ("fbgemm_fp8", Method::Scaled),
    ("modelopt", Method::Scaled),
    ("bitsandbytes", Method::Bnb),
];

/// What compressed-tensors calls the ways in which it stores layers; the tensors of each say which it is.
const FORMATS: &[&str] = &[
    "pack-quantized",
    "int-quantized",
    "naive-quantized",
    "float-quantized",
    "nvfp4-pack-quantized",
    "mxfp4-pack-quantized",
    "mixed-precision",
    "dense",
];

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Config {
    quant_method: Option<String>,
    bits: Option<usize>,
    group_size: Option<i64>,
    checkpoint_format: Option<String>,
    version: Option<String>,
    format: Option<String>,
    config_groups: BTreeMap<String, Group>,
    weight_block_size: Option<[usize; 2]>,
    load_in_4bit: bool,
    load_in_8bit: bool,
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
            Method::Awq => known("version", &config.version, &["gemm", "GEMM", "gemv", "GEMV"])?,
            Method::Bnb if !config.load_in_4bit && !config.load_in_8bit => {
                return Err(Error::unsupported(format!("{at}: bitsandbytes is known with load_in_4bit or load_in_8bit only")));
            }
            Method::Bnb => {}
            Method::Scaled => known("format", &config.format, FORMATS)?,
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

    /// Whether matrices that lie by columns, stacked, have their scales by columns as well.
    pub(crate) fn scales_columns(&self) -> bool {
        self.config.quant_method.as_deref() == Some("fbgemm_fp8")
    }

    /// The weight `key` in 4-bit floats, if it is so.
    ///
    /// # Errors
    /// Tensors that do not fit together.
    pub(crate) fn four_bits(&self, tensors: &Tensors, key: &str) -> Result<Option<FourBits>> {
        if self.method == Method::Bnb { FourBits::of(tensors, key) } else { Ok(None) }
    }

    /// The tensors that stand for `{scope}.weight`; `None` where the checkpoint has it plain, or not at all.
    ///
    /// # Errors
    /// Tensors whose shapes do not fit together.
    pub(crate) fn packed(&self, tensors: &Tensors, scope: &str) -> Result<Option<Packed>> {
        let key = |name: &str| Some(format!("{scope}.{name}")).filter(|key| tensors.get(key).is_some());
        let found = match self.method {
            Method::Bnb => key("SCB").zip(key("weight")).map(|(scales, values)| self.statistics(tensors, values, scales)),
            Method::Gptq => key("qweight").map(|values| self.gptq(tensors, values, key("g_idx"), &key)),
            Method::Awq => key("qweight").map(|values| self.awq(tensors, values, &key)),
            Method::Scaled => match (key("weight_packed"), key("weight"), key("weight_scale").or_else(|| key("weight_scale_inv"))) {
                (Some(values), _, Some(scales)) if is_bytes(tensors, &values) => Some(self.half_steps(tensors, values, scales, &key)),
                (Some(values), _, Some(scales)) => Some(self.rows(tensors, values, scales, &key)),
                (_, Some(values), Some(scales)) if is_bytes(tensors, &values) => Some(self.half_steps(tensors, values, scales, &key)),
                (None, Some(values), Some(scales)) => self.bytes(tensors, values, scales, &key).transpose(),
                _ => None,
            },
        };
        let Some(packed) = found.transpose()? else { return Ok(None) };
        packed.check(tensors)?;
        Ok(Some(packed))
    }
}

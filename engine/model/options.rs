//! What a caller may say about a model.

use std::{fmt, str::FromStr};

use crate::{Error, Result, hub, pipelines::did_you_mean, session::SessionOptions};

/// Which model, and how it is to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A folder or a Hub name.
    pub model: String,
    /// The name that the task was asked by, where that says more than the task: `translation_en_to_fr`.
    pub task: Option<String>,
    /// Revision, cache, token, offline.
    pub hub: hub::Options,
    /// Device, threads, memory.
    pub session: SessionOptions,
    /// The type of the weights.
    pub dtype: ModelDtype,
    /// The blocks of weights that are converted to `q4` or `q8`, where they are to be others than the usual ones.
    pub blocks: Option<Blocks>,
    /// Where the graph comes from.
    pub source: Source,
    /// Where models whose weights were converted to another type are kept; by default `formers` in the cache folder of `hub`, if that names one,
    /// and else [`converted::dir`](super::converted::dir).
    pub converted: Option<std::path::PathBuf>,
    /// A smaller model, a folder or a Hub name, that guesses what this one will say: text comes sooner, and is the
    /// same. Only for tasks that generate.
    pub assistant_model: Option<String>,
}

impl Options {
    /// A model with everything else at its default.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }
}

/// How weights lie in blocks that share a scale, those of embeddings and of heads as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocks {
    /// Weights that share a scale: a power of two from 16 to 256; left out, 32, and 64 in layers that widen.
    pub size: Option<usize>,
    /// Whether each block has a zero point as well, for weights that lie to one side.
    pub asymmetric: bool,
}

/// Where the graph comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The checkpoint's weights where the architecture is known and they can be of the chosen type, else ready-made ONNX files.
    #[default]
    Auto,
    /// Ready-made ONNX files.
    Onnx,
    /// The checkpoint's weights.
    Safetensors,
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "onnx" => Ok(Self::Onnx),
            "safetensors" => Ok(Self::Safetensors),
            _ => Err(Error::request("source", format!("{name:?} is none of auto, onnx, safetensors"))),
        }
    }
}

/// The type of the weights, by the names of transformers.js.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum ModelDtype {
    /// 32-bit floats; of ready-made files the best there is.
    #[default]
    Auto,
    Fp32,
    Fp16,
    /// Converted, with a scale for each row; with [`Options::blocks`], 8 bits with a scale for each block.
    Int8,
    Uint8,
    /// Another name of `Int8`, after which transformers.js looks for `model_quantized.onnx` first.
    Q8,
    /// Converted, 4 bits with a scale for each block of 32 weights.
    Q4,
    Q4f16,
    Bnb4,
}

/// What torch, bitsandbytes and llama.cpp call them.
const THEIR_NAMES: &[(&[&str], ModelDtype)] = &[
    (&["float32", "torch.float32", "float", "f32"], ModelDtype::Fp32),
    (&["float16", "torch.float16", "half", "f16", "bfloat16", "torch.bfloat16", "bf16"], ModelDtype::Fp16),
    (&["8bit", "load_in_8bit", "q8_0", "i8"], ModelDtype::Int8),
    (&["int4", "4bit", "load_in_4bit", "nf4", "q4_0", "q4_1", "q4_k", "q4_k_m", "q4_k_s"], ModelDtype::Q4),
];

impl ModelDtype {
    /// The type that two names stand for is one: `int8` and `q8`.
    #[must_use]
    pub(super) fn canonical(self) -> Self {
        if self == Self::Q8 { Self::Int8 } else { self }
    }

    /// Every type, with its name and the suffix of its ONNX files.
    pub const ALL: &[(Self, &str, &str)] = &[
        (Self::Auto, "auto", ""),
        (Self::Fp32, "fp32", ""),
        (Self::Fp16, "fp16", "_fp16"),
        (Self::Int8, "int8", "_int8"),
        (Self::Uint8, "uint8", "_uint8"),
        (Self::Q8, "q8", "_quantized"),
        (Self::Q4, "q4", "_q4"),
        (Self::Q4f16, "q4f16", "_q4f16"),
        (Self::Bnb4, "bnb4", "_bnb4"),
    ];

    /// The suffix of an ONNX file of this type: `model_fp16.onnx`.
    pub fn suffix(self) -> &'static str {
        Self::ALL.iter().find(|(dtype, ..)| *dtype == self).map_or("", |(_, _, suffix)| suffix)
    }
}

impl fmt::Display for ModelDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(dtype, ..)| dtype == self).map_or("auto", |(_, name, _)| name))
    }
}

impl FromStr for ModelDtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == name).map(|(dtype, ..)| *dtype).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
            let theirs = THEIR_NAMES.iter().find(|(theirs, _)| theirs.contains(&name.to_ascii_lowercase().as_str()));
            let meant = theirs
                .map_or_else(|| did_you_mean(name, names.iter().copied()), |(_, ours)| format!(" (did you mean {:?}?)", ours.to_string()));
            Error::request("dtype", format!("{name:?} is none of {}{meant}", names.join(", ")))
        })
    }
}

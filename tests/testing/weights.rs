//! `weights.json`, and the `model.safetensors` that it stands for.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::Deserialize;
use serde_json::json;

use crate::draw;

/// What `weights.json` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Tells apart draws of the same names.
    pub seed: u64,
    /// The CRC-32 of the file that is made, as eight hexadecimal digits.
    pub crc32: String,
    /// Files of the checkpoint that lie elsewhere: their names, and their places relative to the folder of `weights.json`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// How a tensor is drawn.
///
/// Element `i` in row-major order comes of 64 bits: the first number of SplitMix64 from the state `(h ^ seed) + i`, where `h` is the
/// 64-bit FNV-1a hash of the tensor's name in UTF-8 and the sum wraps. The sum of the four 16-bit parts of these bits less 131,070 is an
/// integer that a 32-bit float holds exactly, about normally distributed around 0 with a standard deviation of 37,837.2. That times
/// `scale`, rounded to 32 bits, and plus `mean`, rounded to 32 bits, is rounded once more to `dtype`, each time half to even.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// The type of the elements.
    pub dtype: Dtype,
    /// The sizes of the axes; none for a scalar.
    pub shape: Vec<u64>,
    /// Around which value the elements lie.
    pub mean: f32,
    /// The standard deviation, divided by 37,837.2; 0 where all elements are the mean.
    pub scale: f32,
}

/// The types that can be drawn, by their names in safetensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
}

impl Weights {
    /// Reads the file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let wrong = |problem: String| invalid(format!("{}: {problem}", path.display()));
        let weights: Self =
            serde_json::from_slice(&fs::read(path).map_err(|error| wrong(error.to_string()))?).map_err(|error| wrong(error.to_string()))?;
        weights.check().map_err(wrong)?;
        Ok(weights)
    }

    /// Writes the safetensors file. What its CRC-32 is another one for is an error that says both, and leaves no file.
    ///
    /// Wider types come first and then names, so that every tensor lies at a multiple of its element's size. Memory does not grow with the
    /// size of the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let found = self.write_unchecked(path)?;
        if found == self.crc32 {
            return Ok(());
        }
        fs::remove_file(path)?;
        Err(invalid(format!(
            "{}: the weights that are drawn have the CRC-32 {found}, and weights.json says {}: it was edited, or draws differ; \
             the program in scripts/goldens that wrote it can write it again",
            path.display(),
            self.crc32
        )))
    }

    /// Writes the safetensors file, and gives its CRC-32 in hexadecimal digits.
    pub fn write_unchecked(&self, path: &Path) -> io::Result<String> {
        let mut tensors: Vec<(&String, &Tensor)> = self.tensors.iter().collect();
        tensors.sort_by_key(|(name, tensor)| (Reverse(tensor.dtype.size()), *name));
        let mut out = Summed { file: BufWriter::with_capacity(1 << 20, fs::File::create(path)?), sum: crc32fast::Hasher::new() };
        out.write(&header(&tensors))?;
        for (name, tensor) in tensors {
            draw::pieces(tensor, name, self.seed, |bytes| out.write(bytes))?;
        }
        out.file.flush()?;
        Ok(format!("{:08x}", out.sum.finalize()))
    }

    /// Sizes that can be counted, and integers that their types hold.
    fn check(&self) -> Result<(), String> {
        let mut total = 0u64;
        for (name, tensor) in &self.tensors {
            let sizes = tensor.shape.iter().try_fold(tensor.dtype.size() as u64, |product, size| product.checked_mul(*size));
            let sum = sizes.and_then(|size| total.checked_add(size)).filter(|total| *total < 1 << 48);
            total = sum.ok_or_else(|| format!("{name}: a shape of {:?} is larger than any file", tensor.shape))?;
            let most = tensor.mean.abs() + 131_070.0 * tensor.scale.abs();
            if most > tensor.dtype.largest() {
                return Err(format!("{name}: numbers up to {most} do not fit {:?}", tensor.dtype));
            }
        }
        Ok(())
    }
}

impl Tensor {
    /// How many elements there are.
    pub fn count(&self) -> u64 {
        self.shape.iter().product()
    }
}

impl Dtype {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// Up to where drawn numbers are all right, whatever their sign.
    fn largest(self) -> f32 {
        match self {
            Self::F64 | Self::F32 | Self::BF16 => f32::MAX / 2.0,
            Self::F16 => 65_504.0,
            Self::I64 => 2f32.powi(62),
            Self::I32 => 2f32.powi(30),
        }
    }
}

/// The length, and what lies where, filled with spaces to a multiple of 8 bytes.
fn header(tensors: &[(&String, &Tensor)]) -> Vec<u8> {
    let mut fields = serde_json::Map::new();
    fields.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut start = 0;
    for (name, tensor) in tensors {
        let end = start + tensor.count() * tensor.dtype.size() as u64;
        let dtype = format!("{:?}", tensor.dtype);
        fields.insert((*name).clone(), json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end]}));
        start = end;
    }
    let mut text = serde_json::Value::Object(fields).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text].concat()
}

struct Summed {
    file: BufWriter<fs::File>,
    sum: crc32fast::Hasher,
}

impl Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.file.write_all(bytes)
    }
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

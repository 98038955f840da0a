//! The tensors of a checkpoint: which there are, and where their bytes lie.
//!
//! Large files are memory-mapped and never copied: a graph's initializers, and ONNX Runtime, refer to the same bytes by file and offset.

pub(crate) mod dense;
pub(crate) mod four_bits;
mod index;
mod pickle;
pub(crate) mod quantized;
mod safetensors;
mod state_dict;
mod torch;
mod zip;

use crate::{Dtype, Error, Result, content::Content};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All tensors of a checkpoint, from one or several files.
///
/// Small files are read; larger ones stay open and mapped as long as this lives, and only pages that somebody reads take memory. Mapping is
/// sound as long as nobody truncates a file meanwhile (a process that touches a page past the new end is killed by SIGBUS, as with every
/// reader that maps); checkpoints are written once and then renamed into place, and replacing or deleting a mapped file leaves the old bytes
/// readable. The length of a file is checked against what its header promises when it is opened, so a short file is an error and not a signal.
#[derive(Debug)]
pub struct Tensors {
    paths: Vec<PathBuf>,
    contents: Vec<Content>,
    infos: BTreeMap<String, TensorInfo>,
}

/// Where a tensor lies, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions, the slowest first; none for a scalar.
    pub shape: Vec<usize>,
    /// Elements from one index of a dimension to the next; `None` where the elements lie densely in row-major order.
    pub strides: Option<Vec<usize>>,
    /// Which of [`Tensors::files`] holds it.
    pub file: usize,
    /// The byte of that file where its first element lies.
    pub offset: u64,
    /// Bytes of the file from its first element to the end of its last one.
    pub len: u64,
}

impl Tensors {
    /// Maps weight files (safetensors, or what `torch.save` wrote), told apart by what is in them, whatever their names.
    ///
    /// # Errors
    /// A file that cannot be read, or is empty, truncated, damaged or of another kind; a tensor that two files hold.
    pub fn open(files: &[PathBuf]) -> Result<Self> {
        let mut tensors = Self { paths: Vec::new(), contents: Vec::new(), infos: BTreeMap::new() };
        for path in files {
            for (name, info) in tensors.add(path)? {
                if let Some(other) = tensors.infos.get(&name) {
                    let other = tensors.paths[other.file].display();
                    return Err(Error::checkpoint(format!(
                        "{}: tensor `{name}` is also in {other}; give only one of them",
                        path.display()
                    )));
                }
                tensors.infos.insert(name, info);
            }
        }
        Ok(tensors)
    }

    /// Maps the files that an index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) names; `resolve` finds them.
    ///
    /// As in the reference, an index says no more than which files there are: their tensors are there whether it lists them or not, of
    /// one that several hold the last counts, and one that none holds is missing only where it is needed.
    ///
    /// # Errors
    /// As [`Tensors::open`]; an index that is no valid JSON.
    pub fn open_indexed(index: &Path, resolve: &dyn Fn(&str) -> Result<PathBuf>) -> Result<Self> {
        let mut tensors = Self { paths: Vec::new(), contents: Vec::new(), infos: BTreeMap::new() };
        for shard in index::shards(index)? {
            let found = tensors.add(&resolve(&shard)?)?;
            tensors.infos.extend(found);
        }
        Ok(tensors)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.infos.keys().map(String::as_str)
    }

    /// Whether the name of any tensor starts so.
    pub fn any_starts_with(&self, start: &str) -> bool {
        self.infos.range(start.to_string()..).next().is_some_and(|(name, _)| name.starts_with(start))
    }

    /// Where a tensor lies, if there is one of that name.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.infos.get(name)
    }

    /// The files, in the order that [`TensorInfo::file`] counts.
    pub fn files(&self) -> &[PathBuf] {
        &self.paths
    }

    /// A tensor's elements, little-endian, dense and in row-major order: borrowed from the map where they lie like that in the file.
    ///
    /// The bytes need not be aligned to the element's size.
    ///
    /// # Errors
    /// No tensor of that name; a view whose dense form would be far larger than its file.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let info = self.infos.get(name).ok_or_else(|| Error::tensor(format!("the checkpoint has no tensor `{name}`")))?;
        dense::bytes(&self.contents[info.file], info).map_err(|e| e.at(format!("{}: tensor `{name}`", self.paths[info.file].display())))
    }

    /// The elements of a floating-point tensor as `f32`.
    ///
    /// # Errors
    /// As [`Tensors::bytes`]; a tensor of integers or booleans.
    pub fn to_f32(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.bytes(name)?;
        let dtype = self.infos[name].dtype;
        dense::to_f32(&bytes, dtype).ok_or_else(|| Error::tensor(format!("tensor `{name}` holds {dtype:?}, not floating-point numbers")))
    }

    /// Opens one file and reads what tensors it holds.
    fn add(&mut self, path: &Path) -> Result<Vec<(String, TensorInfo)>> {
        let content = Content::of(path)?;
        if content.is_empty() {
            return Err(Error::checkpoint(format!("{}: the file is empty; download it again", path.display())));
        }
        let mut tensors = read(&content).map_err(|e| e.at(path.display()))?;
        for (_, info) in &mut tensors {
            info.file = self.paths.len();
        }
        self.paths.push(path.to_owned());
        self.contents.push(content);
        Ok(tensors)
    }
}

/// The tensors of one file, by what its first bytes say it is.
fn read(file: &[u8]) -> Result<Vec<(String, TensorInfo)>> {
    if file.starts_with(b"version https://git-lfs") {
        return Err(Error::checkpoint("this is a Git LFS pointer, not the file itself; run `git lfs pull`, or download the file"));
    }
    if torch::is_torch(file) { torch::read(file) } else { safetensors::read(file) }
}

#[cfg(test)]
mod tests;

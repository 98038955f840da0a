//! A model as files in a folder: `NAME.onnx` and its weights in `NAME.onnx_data`, as Optimum and transformers.js lay them out.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    computed::Last,
    proto::{self, Place},
};
use crate::{
    Error, Result,
    graph::{Body, Computed, Data, ValueId},
};

/// Initializers below this size stay in the model itself.
const SMALL: u64 = 1024;
/// Large tensors start at a page, so that they can be mapped.
const PAGE: u64 = 4096;
/// Weights are copied in parts of this size.
const CHUNK: u64 = 1 << 20;

/// Writes `FILE_NAME` (such as `model_int8.onnx`) and `FILE_NAME_data` into an existing folder, and returns what was written.
///
/// Both are written under other names first and take their names only when they are whole.
pub fn write_folder(body: &Body, folder: &Path, file_name: &str) -> Result<Vec<PathBuf>> {
    let model = folder.join(file_name);
    let data = folder.join(format!("{file_name}_data"));
    let (model_part, data_part) = (Part::new(&model)?, Part::new(&data)?);

    let mut weights = Weights {
        out: BufWriter::new(data_part.create()?),
        path: data_part.path.clone(),
        at: 0,
        sources: BTreeMap::new(),
        computed: Last::default(),
        shared: BTreeMap::new(),
    };
    let location = format!("{file_name}_data");
    let bytes = proto::encode(body, |id, initializer| weights.place(body, id, initializer, &location))?;
    let written = weights.finish()?;

    let mut out = model_part.create()?;
    out.write_all(&bytes).and_then(|()| out.sync_all()).map_err(|e| Error::io(&model_part.path, e))?;
    let mut paths = Vec::new();
    if written > 0 {
        data_part.keep(&data)?;
        paths.push(data);
    }
    model_part.keep(&model)?;
    paths.push(model);
    Ok(paths)
}

/// A file that goes away unless it is kept.
struct Part {
    path: PathBuf,
}

impl Part {
    fn new(target: &Path) -> Result<Self> {
        let name = target
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or_else(|| Error::unsupported(format!("{} is no file name", target.display())))?;
        Ok(Self { path: target.with_file_name(format!(".{name}.{}.part", std::process::id())) })
    }

    fn create(&self) -> Result<File> {
        File::create(&self.path).map_err(|e| Error::io(&self.path, e))
    }

    fn keep(&self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target).map_err(|e| Error::io(target, e))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already where it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

struct Weights {
    out: BufWriter<File>,
    path: PathBuf,
    at: u64,
    sources: BTreeMap<Arc<Path>, File>,
    computed: Last,
    /// Where the parts of computed weights are, by their addresses.
    shared: BTreeMap<(*const Computed, usize), u64>,
}

impl Weights {
    fn place(&mut self, body: &Body, id: ValueId, data: &Data, location: &str) -> Result<Place> {
        let len = data.size();
        if len < SMALL {
            return Ok(Place::Inside(self.small(data)?));
        }
        let shared = if let Data::Computed { parts, part, .. } = data { Some((Arc::as_ptr(parts), *part)) } else { None };
        if let Some(&offset) = shared.and_then(|key| self.shared.get(&key)) {
            return Ok(Place::File { location: location.into(), offset, len });
        }
        let at = self.align()?;
        match data {
            Data::Inline(bytes) => self.out.write_all(bytes).map_err(|e| Error::io(&self.path, e))?,
            Data::Computed { parts, part, len } => {
                let bytes = self.computed.part(parts, *part, *len)?;
                self.out.write_all(bytes).map_err(|e| Error::io(&self.path, e))?;
            }
            Data::Stored { file, offset, len } => {
                self.source(file)?;
                let Self { out, sources, path, .. } = self;
                let source = sources.get_mut(file).ok_or_else(|| Error::checkpoint(format!("{} is not open", file.display())))?;
                copy(source, *offset, *len, out).map_err(|e| e.blame(file, path).at(&body.value(id).name))?;
            }
        }
        self.at += len;
        self.shared.extend(shared.map(|key| (key, at)));
        Ok(Place::File { location: location.into(), offset: at, len })
    }

    fn small(&mut self, data: &Data) -> Result<Vec<u8>> {
        match data {
            Data::Inline(bytes) => Ok(bytes.to_vec()),
            Data::Computed { parts, part, len } => Ok(self.computed.part(parts, *part, *len)?.to_vec()),
            Data::Stored { file, offset, len } => {
                let mut bytes = Vec::new();
                self.copy(file, *offset, *len, &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    fn align(&mut self) -> Result<u64> {
        let start = self.at.next_multiple_of(PAGE);
        let gap = vec![0; (start - self.at) as usize];
        self.out.write_all(&gap).map_err(|e| Error::io(&self.path, e))?;
        self.at = start;
        Ok(start)
    }

    fn source(&mut self, file: &Arc<Path>) -> Result<()> {
        if !self.sources.contains_key(file) {
            self.sources.insert(file.clone(), File::open(file).map_err(|e| Error::io(file, e))?);
        }
        Ok(())
    }

    fn copy(&mut self, file: &Arc<Path>, offset: u64, len: u64, to: &mut impl Write) -> Result<()> {
        self.source(file)?;
        let source = self.sources.get_mut(file).ok_or_else(|| Error::checkpoint(format!("{} is not open", file.display())))?;
        copy(source, offset, len, to).map_err(|e| e.blame(file, file))
    }

    fn finish(mut self) -> Result<u64> {
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(|e| Error::io(&self.path, e))?;
        Ok(self.at)
    }
}

/// Which end of a copy failed.
enum CopyError {
    From(io::Error),
    To(io::Error),
}

impl CopyError {
    fn blame(self, from: &Path, to: &Path) -> Error {
        match self {
            Self::From(error) => Error::io(from, error),
            Self::To(error) => Error::io(to, error),
        }
    }
}

fn copy(source: &mut File, offset: u64, mut len: u64, to: &mut impl Write) -> std::result::Result<(), CopyError> {
    source.seek(SeekFrom::Start(offset)).map_err(CopyError::From)?;
    let mut buffer = vec![0; CHUNK.min(len) as usize];
    while len > 0 {
        let part = &mut buffer[..CHUNK.min(len) as usize];
        source.read_exact(part).map_err(CopyError::From)?;
        to.write_all(part).map_err(CopyError::To)?;
        len -= part.len() as u64;
    }
    Ok(())
}

//! A model in memory whose initializers name the checkpoint's own files: no weight is copied or written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    computed::Last,
    proto::{self, Place},
};
use crate::{
    Error, Result,
    graph::{Body, Data},
};

/// An ONNX model as bytes, and the folder to which the locations of its external data are relative.
#[derive(Debug, Clone)]
pub struct Model {
    /// The role: `model`, `encoder_model`, …
    pub name: String,
    /// The serialized `ModelProto`.
    pub bytes: Vec<u8>,
    /// The folder of the external data; `None` where the model holds all its weights.
    pub folder: Option<PathBuf>,
}

/// The largest message that protobuf readers accept.
const LARGEST: u64 = i32::MAX as u64;

/// Serializes a graph. Files are named by where they really are, so that links (as in the Hub's cache) do not lead
/// out of the folder, which ONNX Runtime would refuse.
pub fn in_memory(body: &Body) -> Result<Model> {
    let mut real: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    let mut inside = 0u64;
    for data in body.initializers.values() {
        match data {
            Data::Stored { file, .. } if !real.contains_key(&**file) => {
                real.insert(file, file.canonicalize().map_err(|e| Error::io(file, e))?);
            }
            Data::Stored { .. } => {}
            Data::Inline(_) | Data::Computed { .. } => inside += data.size(),
        }
    }
    if inside >= LARGEST {
        return Err(Error::unsupported(format!("{inside} bytes of computed weights do not fit a model in memory: convert it to a folder")));
    }
    let folder = common_folder(real.values())?;
    let mut computed = Last::default();
    let bytes = proto::encode(body, |_, data| {
        Ok::<_, Error>(match data {
            Data::Inline(bytes) => Place::Inside(bytes.to_vec()),
            Data::Computed { parts, part, len } => Place::Inside(computed.part(parts, *part, *len)?.to_vec()),
            Data::Stored { file, offset, len } => {
                let path = real.get(&**file).and_then(|path| path.strip_prefix(folder.as_deref()?).ok());
                let path =
                    path.ok_or_else(|| Error::unsupported(format!("{} has no common folder with the other weights", file.display())))?;
                Place::File { location: location(path)?, offset: *offset, len: *len }
            }
        })
    })?;
    Ok(Model { name: body.name.clone(), bytes, folder })
}

/// The weight files that a graph's initializers lie in, each once.
pub fn files(body: &Body) -> BTreeSet<Arc<Path>> {
    let stored = |data: &Data| if let Data::Stored { file, .. } = data { Some(file.clone()) } else { None };
    body.initializers.values().filter_map(stored).collect()
}

/// The deepest folder that all these files lie in.
fn common_folder<'a>(mut files: impl Iterator<Item = &'a PathBuf>) -> Result<Option<PathBuf>> {
    let Some(mut folder) = files.next().and_then(|f| f.parent()).map(Path::to_path_buf) else {
        return Ok(None);
    };
    for file in files {
        while !file.starts_with(&folder) {
            if !folder.pop() {
                return Err(Error::unsupported(format!("{} lies on another drive than the other weights", file.display())));
            }
        }
    }
    Ok(Some(folder))
}

/// A relative path as ONNX writes it, with forward slashes.
fn location(path: &Path) -> Result<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts
        .map(|p| p.join("/"))
        .ok_or_else(|| Error::unsupported(format!("{}: the path of a weight file must be valid Unicode", path.display())))
}

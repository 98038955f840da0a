//! Converted models that are kept: made once, and used again while nothing that went into them has changed.
//!
//! Each graph has a folder, whose name holds all that changes the result: the graph with its places in the weight files, those files' sizes and
//! times, the type, and this crate's own format. A manifest, written last, says which files there are and what is in them; it is compared each
//! time, so that a damaged or cut file is made again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use formers_converters::{graph::Body, passes::Storage, writer};
use sha2::{Digest, Sha256};

use super::{
    ModelDtype, Options,
    manifest::{self, Manifest, SourceFile},
    staging::{self, Staging},
};
use crate::{Error, ErrorKind, Result, hub};

/// Changes whenever this crate stores weights in another way.
const FORMAT: u32 = 6;
/// Hexadecimal digits of a folder's name.
const KEY: usize = 32;

/// A converted graph in a folder of converted models; a model may have several.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Converted {
    /// The model as it was asked for: a name on the Hub, or a folder. `None` where nothing says so: an older version made it, or it is damaged.
    pub model: Option<String>,
    /// The type of its weights, as [`ModelDtype`] is written.
    pub dtype: Option<String>,
    /// Which of the model's graphs it is: `model`, `encoder_model`, …
    pub part: Option<String>,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub size: u64,
    /// When it was made.
    pub made: Option<SystemTime>,
    /// Whether the weights that it was made from are still what they were. Otherwise nothing will use it again.
    pub current: bool,
}

/// The folder of converted models: `FORMERS_CACHE`, or `formers` beside the Hub's cache.
pub fn dir() -> PathBuf {
    let named = std::env::var_os("FORMERS_CACHE").filter(|value| !value.is_empty()).map(PathBuf::from);
    named.unwrap_or_else(|| {
        let hub = hub::cache::dir();
        hub.parent().unwrap_or(&hub).join("formers")
    })
}

/// The folder of converted models for someone who has a cache folder of their own: `formers` in it; without one, [`dir`].
pub fn dir_in(cache_dir: Option<&Path>) -> PathBuf {
    cache_dir.map_or_else(dir, |cache| cache.join("formers"))
}

/// What is in a folder of converted models, by model, type and part. A folder that is not there is empty.
///
/// # Errors
/// When it cannot be read.
pub fn scan(folder: &Path) -> Result<Vec<Converted>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io(folder, error))?,
    };
    let mut found: Vec<Converted> = entries.flatten().filter_map(|entry| described(entry.path())).collect();
    found.sort_by(|a, b| (&a.model, &a.dtype, &a.part, &a.path).cmp(&(&b.model, &b.dtype, &b.part, &b.path)));
    Ok(found)
}

/// Removes one, and says how many bytes that freed. It is made again when it is needed. Sessions that use it go on, where the system lets
/// files be removed that are in use; elsewhere that is an error.
///
/// # Errors
/// When its path is none of a converted model, or it cannot be removed.
pub fn remove(converted: &Converted) -> Result<u64> {
    let path = &converted.path;
    let Some(found) = described(path.clone()) else {
        return Err(Error::new(ErrorKind::NotFound, format!("{}: no converted model", path.display())));
    };
    remove_entry(path).map_err(|error| Error::io(path, error))?;
    Ok(found.size)
}

/// Removes what conversions that were killed have left in a folder of converted models. The next conversion does so as well.
pub fn sweep(folder: &Path) {
    staging::sweep(folder, "");
}

/// Removes what conversions of this process have not finished, wherever they write to: for a program that ends now, by a signal, and does not
/// wait for its threads. Those conversions fail.
pub fn abandon() {
    staging::abandon();
}

fn described(path: PathBuf) -> Option<Converted> {
    let name = path.file_name()?.to_str()?;
    if name.len() != KEY || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) || !path.is_dir() {
        return None;
    }
    let mut files = fs::read_dir(&path).ok()?.flatten();
    let mut size = 0;
    // Whatever else has such a name is not ours.
    let known = |name: &str| name == manifest::FILE || [".onnx", ".onnx_data"].iter().any(|end| name.ends_with(end));
    let ours = files.all(|file| {
        size += file.metadata().map_or(0, |about| about.len());
        file.file_name().to_str().is_some_and(known)
    });
    let made = path.metadata().ok().and_then(|about| about.modified().ok());
    let about = Manifest::read(&path).ok();
    let current = about.as_ref().is_some_and(|about| about.sources.iter().all(SourceFile::is_as_it_was));
    let (model, dtype, part) = about.map_or((None, None, None), |about| (Some(about.model), Some(about.dtype), Some(about.part)));
    ours.then_some(Converted { model, dtype, part, path, size, made, current })
}

/// What has lost its manifest is whole for nobody, so that goes first.
fn remove_entry(path: &Path) -> std::io::Result<()> {
    let manifest = path.join(manifest::FILE);
    match fs::symlink_metadata(&manifest) {
        Ok(about) if !about.is_dir() => fs::remove_file(manifest)?,
        _ => {}
    }
    fs::remove_dir_all(path)
}

/// Where a graph with weights in another type is kept, or will be.
pub(super) struct Entry {
    folder: PathBuf,
    key: String,
    file_name: String,
    about: Manifest,
}

impl Entry {
    /// The place of a graph of a model, stored in `dtype` as `storage` says.
    pub(super) fn of(options: &Options, model: &str, body: &Body, dtype: ModelDtype, storage: Option<Storage>) -> Result<Self> {
        let folder = options.converted.clone().unwrap_or_else(|| dir_in(options.hub.cache_dir.as_deref()));
        let sources: Vec<SourceFile> = writer::files(body).iter().map(|file| SourceFile::of(file)).collect::<Result<_>>()?;
        let key = key(body, dtype, storage, &sources)?;
        let file_name = format!("{}{}.onnx", body.name, dtype.suffix());
        let about = Manifest { model: model.to_owned(), dtype: dtype.to_string(), part: body.name.clone(), sources, ..Manifest::default() };
        Ok(Self { folder, key, file_name, about })
    }

    /// The graph's file where it is there and whole. What is damaged is told.
    pub(super) fn sound(&self) -> Option<PathBuf> {
        let entry = self.path();
        match manifest::check(&entry) {
            Ok(()) => Some(entry.join(&self.file_name)),
            Err(None) => None,
            Err(Some(problem)) => {
                tracing::warn!("{}: {problem}: the model is converted again", entry.display());
                None
            }
        }
    }

    /// The graph's file, made by `convert`, unless another process has just made it.
    pub(super) fn make(mut self, convert: impl FnOnce() -> Result<Body>) -> Result<PathBuf> {
        let hint = |path: &Path, error| Error::io(path, error).at("converted models are kept in FORMERS_CACHE, which must be writable");
        let entry = self.path();
        fs::create_dir_all(&self.folder).map_err(|e| hint(&self.folder, e))?;
        staging::wait(&self.folder, &self.key);
        if manifest::check(&entry).is_ok() {
            return Ok(entry.join(&self.file_name));
        }
        staging::sweep(&self.folder, "");
        let part = Staging::new(&self.folder, &self.key).map_err(|e| hint(&self.folder, e))?;
        writer::write_folder(&convert()?, part.path(), &self.file_name)?;
        self.about.write(part.path()).map_err(|e| hint(part.path(), e))?;
        if fs::symlink_metadata(&entry).is_ok() && manifest::check(&entry).is_err() {
            remove_entry(&entry).map_err(|e| hint(&entry, e))?;
        }
        match part.place(&entry) {
            // Another process was faster, and its entry is as good.
            Err(_) if manifest::check(&entry).is_ok() => {}
            placed => placed.map_err(|e| hint(&entry, e))?,
        }
        Ok(entry.join(&self.file_name))
    }

    /// Takes away what cannot be opened.
    pub(super) fn remove(&self) -> Result<()> {
        let entry = self.path();
        if fs::symlink_metadata(&entry).is_err() { Ok(()) } else { remove_entry(&entry).map_err(|e| Error::io(&entry, e)) }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.key)
    }
}

fn key(body: &Body, dtype: ModelDtype, storage: Option<Storage>, sources: &[SourceFile]) -> Result<String> {
    let model = writer::in_memory(body)?;
    let mut hash = Sha256::new();
    hash.update(FORMAT.to_le_bytes());
    hash.update(dtype.to_string());
    hash.update(format!("{storage:?}"));
    hash.update(&model.bytes);
    for file in sources {
        hash.update(file.path.as_bytes());
        hash.update(file.bytes.to_le_bytes());
        hash.update(u128::from(file.modified).to_le_bytes());
    }
    Ok(hash.finalize().iter().take(KEY / 2).map(|byte| format!("{byte:02x}")).collect())
}

impl SourceFile {
    fn of(file: &Path) -> Result<Self> {
        let real = file.canonicalize().map_err(|e| Error::io(file, e))?;
        let about = real.metadata().map_err(|e| Error::io(&real, e))?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let nanoseconds = u64::try_from(changed.as_nanos()).unwrap_or(u64::MAX);
        Ok(Self { path: real.to_string_lossy().into_owned(), bytes: about.len(), modified: nanoseconds })
    }

    fn is_as_it_was(&self) -> bool {
        Self::of(Path::new(&self.path)).is_ok_and(|now| now == *self)
    }
}

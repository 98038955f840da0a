//! Converted models that are kept: made once, and used again while nothing that went into them has changed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use formers_converters::{graph::Body, passes::Storage, writer};
use sha2::{Digest, Sha256};

use super::ModelDtype;
use crate::{Error, Result, hub};

/// Changes whenever this crate stores weights in another way.
const FORMAT: u32 = 6;

/// The folder of converted models: `FORMERS_CACHE`, or `formers` beside the Hub's cache.
pub fn dir() -> PathBuf {
    let named = std::env::var_os("FORMERS_CACHE").filter(|value| !value.is_empty()).map(PathBuf::from);
    named.unwrap_or_else(|| {
        let hub = hub::cache::dir();
        hub.parent().unwrap_or(&hub).join("formers")
    })
}

/// The file of a graph whose weights are stored in `dtype`, as `storage` says, made by `convert` where it is not there yet.
///
/// The name holds all that changes the result: the graph with its places in the weight files, those files' sizes and
/// times, the type, and this crate's own format. It appears only once it is whole, so half of one is never used, and
/// several processes may make it at once.
pub(super) fn file(
    folder: PathBuf,
    body: Body,
    dtype: ModelDtype,
    storage: Option<Storage>,
    convert: impl FnOnce(Body) -> Result<Body>,
) -> Result<PathBuf> {
    let entry = folder.join(key(&body, dtype, storage)?);
    let file_name = format!("{}{}.onnx", body.name, dtype.suffix());
    let file = entry.join(&file_name);
    if file.is_file() {
        return Ok(file);
    }
    fs::create_dir_all(&folder).map_err(|e| hint(&folder, e))?;
    let part = tempfile::Builder::new().prefix(".part-").tempdir_in(&folder).map_err(|e| hint(&folder, e))?;
    writer::write_folder(&convert(body)?, part.path(), &file_name)?;
    let made = part.keep();
    let moved = fs::rename(&made, &entry).or_else(|error| {
        // Another process was faster, and its entry is as good; unless it is what somebody left of an old one.
        if file.is_file() {
            return fs::remove_dir_all(&made);
        }
        fs::remove_dir_all(&entry).map_err(|_| error).and_then(|()| fs::rename(&made, &entry))
    });
    if let Err(error) = moved
        && !file.is_file()
    {
        let _ = fs::remove_dir_all(&made);
        return Err(hint(&entry, error));
    }
    Ok(file)
}

fn hint(path: &Path, error: std::io::Error) -> Error {
    Error::io(path, error).at("converted models are kept in FORMERS_CACHE, which must be writable")
}

fn key(body: &Body, dtype: ModelDtype, storage: Option<Storage>) -> Result<String> {
    let model = writer::in_memory(body)?;
    let mut hash = Sha256::new();
    hash.update(FORMAT.to_le_bytes());
    hash.update(dtype.to_string());
    hash.update(format!("{storage:?}"));
    hash.update(&model.bytes);
    for file in writer::files(body) {
        let real = file.canonicalize().map_err(|e| Error::io(&file, e))?;
        let about = real.metadata().map_err(|e| Error::io(&real, e))?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        hash.update(real.to_string_lossy().as_bytes());
        hash.update(about.len().to_le_bytes());
        hash.update(changed.as_nanos().to_le_bytes());
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

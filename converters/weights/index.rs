//! The index of a sharded checkpoint: which file holds which tensor.

use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The largest index that is read; those of the largest models take a few megabytes.
const MAX_LEN: u64 = 100_000_000;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The file name for each tensor's name.
pub(super) fn weight_map(path: &Path) -> Result<BTreeMap<String, String>> {
    let len = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
    if len > MAX_LEN {
        return Err(Error::checkpoint(format!("{}: an index of {len} bytes is larger than {MAX_LEN}", path.display())));
    }
    let json = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let index: Index = serde_json::from_slice(&json).map_err(|e| Error::checkpoint(format!("{}: {e}", path.display())))?;
    // Shards lie beside their index: a name that leads elsewhere is damaged or hostile.
    let leads_elsewhere = |file: &str| file.is_empty() || file == "." || file == ".." || file.contains(['/', '\\', ':', '\0']);
    match index.weight_map.iter().find(|(_, file)| leads_elsewhere(file)) {
        Some((name, file)) => Err(Error::checkpoint(format!("{}: tensor `{name}` has `{file}`, which is no file name", path.display()))),
        None => Ok(index.weight_map),
    }
}

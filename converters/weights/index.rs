//! The index of a sharded checkpoint: which files there are.

use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The largest index that is read; those of the largest models take a few megabytes.
const MAX_LEN: u64 = 100_000_000;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that are named, sorted.
pub(super) fn shards(path: &Path) -> Result<BTreeSet<String>> {
    let len = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
    if len > MAX_LEN {
        return Err(Error::checkpoint(format!("{}: an index of {len} bytes is larger than {MAX_LEN}", path.display())));
    }
    let json = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let index: Index = serde_json::from_slice(&json).map_err(|e| Error::checkpoint(format!("{}: {e}", path.display())))?;
    match index.weight_map.iter().find(|(_, file)| leads_elsewhere(file)) {
        Some((name, file)) => Err(Error::checkpoint(format!("{}: tensor `{name}` has `{file}`, which is no file name", path.display()))),
        None => Ok(index.weight_map.into_values().collect()),
    }
}

/// Shards lie beside their index, or in folders there: a name that leads elsewhere is damaged or hostile.
fn leads_elsewhere(file: &str) -> bool {
    file.contains(['\\', ':', '\0']) || file.split('/').any(|part| ["", ".", ".."].contains(&part))
}

//! The weight files of a checkpoint, by the names that Transformers looks for, in its order.

use std::sync::Arc;

use formers_converters::weights::Tensors;

use crate::{Error, ErrorKind, Result, hub::Checkpoint};

const NAMES: &[&str] = &["model.safetensors", "pytorch_model.bin"];

/// Whether the checkpoint has weights.
pub(super) fn exist(checkpoint: &Checkpoint) -> bool {
    NAMES.iter().any(|name| checkpoint.has(name) || checkpoint.has(&index(name)))
}

/// The files of the weights of a checkpoint, or of a folder in it; none where it has no weights.
pub(super) fn files(checkpoint: &Checkpoint, folder: &str) -> Result<Vec<String>> {
    for name in NAMES {
        let file = format!("{folder}{name}");
        if checkpoint.has(&file) {
            return Ok(vec![file]);
        }
        let file = index(&file);
        if checkpoint.has(&file) {
            return Ok(shards(checkpoint, folder, &file)?.into_iter().chain([file]).collect());
        }
    }
    Ok(Vec::new())
}

/// All weights of a checkpoint, or of a folder in it (`2_Dense/`).
pub(super) fn open(checkpoint: &Checkpoint, folder: &str) -> Result<Arc<Tensors>> {
    for name in NAMES {
        let file = format!("{folder}{name}");
        if checkpoint.has(&file) {
            return Ok(Arc::new(Tensors::open(&[checkpoint.path(&file)?])?));
        }
        let file = index(&file);
        if checkpoint.has(&file) {
            return sharded(checkpoint, folder, &file).map(Arc::new);
        }
    }
    Err(Error::new(ErrorKind::Checkpoint, format!("{}: no {folder}model.safetensors and no {folder}pytorch_model.bin", checkpoint.name())))
}

fn sharded(checkpoint: &Checkpoint, folder: &str, index: &str) -> Result<Tensors> {
    let shards = shards(checkpoint, folder, index)?;
    checkpoint.fetch(&shards.iter().map(String::as_str).collect::<Vec<_>>()).map_err(|error| match error.kind() {
        ErrorKind::Request => Error::new(ErrorKind::Checkpoint, format!("{index}: weight_map: {error}")),
        _ => error,
    })?;
    let resolve = |shard: &str| checkpoint.path(&format!("{folder}{shard}")).map_err(formers_converters::Error::checkpoint);
    Ok(Tensors::open_indexed(&checkpoint.path(index)?, &resolve)?)
}

/// The files that an index names.
fn shards(checkpoint: &Checkpoint, folder: &str, index: &str) -> Result<Vec<String>> {
    let shards = checkpoint.json(index)?.as_ref().and_then(|json| json.get("weight_map")?.as_object().cloned());
    let shards = shards.ok_or_else(|| Error::new(ErrorKind::Checkpoint, format!("{}: {index}: no weight_map", checkpoint.name())))?;
    let mut shards: Vec<String> = shards.values().filter_map(|v| v.as_str()).map(|shard| format!("{folder}{shard}")).collect();
    shards.sort_unstable();
    shards.dedup();
    Ok(shards)
}

fn index(name: &str) -> String {
    format!("{name}.index.json")
}

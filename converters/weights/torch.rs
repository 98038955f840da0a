//! What `torch.save` writes: a pickle that describes tensors, and their storages, either in a zip archive or (before 1.6) one after another.

use super::pickle::{Pickle, Value};
use super::state_dict::{self, View};
use super::{TensorInfo, zip};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// How the files before PyTorch 1.6 begin: a pickle of this number.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Whether a file is one that `torch.save` wrote.
pub(super) fn is_torch(file: &[u8]) -> bool {
    zip::is_zip(file) || file.starts_with(LEGACY_MAGIC)
}

/// The tensors of a file, sorted by name.
pub(super) fn read(file: &[u8]) -> Result<Vec<(String, TensorInfo)>> {
    if zip::is_zip(file) { read_zip(file) } else { read_legacy(file) }
}

/// An archive with one folder, in it `data.pkl` and each storage as `data/KEY`.
fn read_zip(file: &[u8]) -> Result<Vec<(String, TensorInfo)>> {
    let entries = zip::entries(file)?;
    let Some(folder) = entries.keys().find_map(|name| name.strip_suffix("/data.pkl").filter(|folder| !folder.contains('/'))) else {
        return Err(Error::unsupported("a zip archive, but none that torch.save wrote: it has no data.pkl"));
    };
    let entry = |name: &str| entries.get(&format!("{folder}/{name}"));
    if entry("constants.pkl").is_some() {
        return Err(Error::unsupported("a TorchScript program; save the model's `state_dict()` instead"));
    }
    if entry("byteorder").is_some_and(|range| &file[range.clone()] != b"little") {
        return Err(Error::unsupported("saved on a big-endian machine; load and save it again on a little-endian one"));
    }
    let pickle = entry("data.pkl").map_or(&[][..], |range| &file[range.clone()]);
    tensors(&Pickle::load(pickle)?, |key| entry(&format!("data/{key}")).cloned())
}

/// Pickles of the format's number, its version, the machine, the state dict and the storages' keys; then each storage after its length.
fn read_legacy(file: &[u8]) -> Result<Vec<(String, TensorInfo)>> {
    let mut at = LEGACY_MAGIC.len();
    let mut pickle = || {
        let pickle = Pickle::load(&file[at..])?;
        at += pickle.len;
        Ok::<_, Error>(pickle)
    };
    let (_version, machine, state_dict, keys) = (pickle()?, pickle()?, pickle()?, pickle()?);
    if !is_little_endian(&machine) {
        return Err(Error::unsupported("saved on a big-endian machine; load and save it again on a little-endian one"));
    }
    // The lengths are in elements, whose size only the pickle knows.
    let mut element_sizes = BTreeMap::new();
    for value in state_dict.values() {
        if let Value::Persistent(id) = value {
            let storage = state_dict::storage(&state_dict, *id)?;
            element_sizes.entry(storage.key).or_insert(storage.dtype.bits() / 8);
        }
    }
    let Value::List(keys_in_order) = keys.get(keys.root) else { return Err(Error::checkpoint("the list of its storages is damaged")) };
    let mut storages = BTreeMap::new();
    for &key in keys_in_order {
        let Value::Text(key) = keys.get(key) else { return Err(Error::checkpoint("the list of its storages is damaged")) };
        let content = legacy_storage(file, at, element_sizes.get(key).copied())
            .ok_or_else(|| Error::checkpoint(format!("storage `{key}` reaches beyond the end; the file is truncated or damaged")))?;
        at = content.end;
        storages.insert(*key, content);
    }
    tensors(&state_dict, |key| storages.get(key).cloned())
}

fn is_little_endian(machine: &Pickle) -> bool {
    let Value::Dict(items) = machine.get(machine.root) else { return false };
    items.iter().any(|(key, value)| matches!((machine.get(*key), machine.get(*value)), (Value::Text("little_endian"), Value::Bool(true))))
}

fn legacy_storage(file: &[u8], at: usize, element_size: Option<u64>) -> Option<Range<usize>> {
    let elements = u64::from_le_bytes(*file.get(at..)?.first_chunk()?);
    let end = (at + 8).checked_add(usize::try_from(elements.checked_mul(element_size?)?).ok()?)?;
    (end <= file.len()).then_some(at + 8..end)
}

/// The named tensors, at their places in the file. `storage` finds the bytes of a storage by its key.
fn tensors(state_dict: &Pickle, storage: impl Fn(&str) -> Option<Range<usize>>) -> Result<Vec<(String, TensorInfo)>> {
    let views = state_dict::views(state_dict)?;
    if views.is_empty() {
        return Err(Error::unsupported("the file holds no tensors by name; save `model.state_dict()` with safetensors or torch.save"));
    }
    views
        .into_iter()
        .map(|(name, view)| {
            let place = || format!("tensor `{name}`");
            let range = storage(view.storage)
                .ok_or_else(|| Error::checkpoint(format!("its storage `{}` is not in the file", view.storage)).at(place()))?;
            let info = locate(view, &range).map_err(|e| e.at(place()))?;
            Ok((name, info))
        })
        .collect()
}

/// Where a view of a storage lies in the file.
fn locate(view: View, storage: &Range<usize>) -> Result<TensorInfo> {
    let View { dtype, shape, strides, .. } = view;
    let size = dtype.bits() / 8;
    let dense = dtype.bytes(&shape).ok_or_else(|| Error::checkpoint(format!("shape {shape:?} is too large")))?;
    let elements = if dense == 0 { Some(0) } else { reach(&shape, &strides) };
    let span = || {
        let start = view.offset.checked_mul(size)?;
        let len = elements?.checked_mul(size)?;
        (start.checked_add(len)? <= storage.len() as u64).then_some((start, len))
    };
    let (start, len) = span().ok_or_else(|| {
        let at = view.offset;
        Error::checkpoint(format!(
            "shape {shape:?} at strides {strides:?} from element {at} on reaches beyond its storage of {} bytes",
            storage.len()
        ))
    })?;
    let strides = if dense == 0 || is_dense(&shape, &strides) { None } else { Some(strides) };
    Ok(TensorInfo { dtype, shape, strides, file: 0, offset: storage.start as u64 + start, len })
}

/// Elements from the first of a view to the end of its last.
fn reach(shape: &[usize], strides: &[usize]) -> Option<u64> {
    shape.iter().zip(strides).try_fold(1u64, |n, (&size, &stride)| n.checked_add((size as u64).checked_sub(1)?.checked_mul(stride as u64)?))
}

/// Whether strides are those of row-major order. That of a dimension of one element does not count.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().filter(|(size, _)| **size != 1).all(|(&size, &stride)| {
        let dense = stride == expected;
        expected = expected.saturating_mul(size);
        dense
    })
}

#[cfg(test)]
mod tests;

//! The safetensors format: the length of a JSON header, the header, and the tensors' bytes without gaps.

use super::TensorInfo;
use crate::{Dtype, Error, Result};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};

/// The same limit as the reference implementation's.
const MAX_HEADER_LEN: u64 = 100_000_000;

/// The tensors of a file, in the order of their bytes.
pub(super) fn read(file: &[u8]) -> Result<Vec<(String, TensorInfo)>> {
    let (header, data_start) = header(file)?;
    let mut entries = parse(header)?;
    entries.sort_by_key(|(_, entry)| entry.data_offsets);

    let data_len = (file.len() - data_start) as u64;
    let mut end = 0;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let dtype = check(&entry, end, data_len).map_err(|e| e.at(format!("tensor `{name}`")))?;
        let (start, stop) = entry.data_offsets;
        end = stop;
        let offset = data_start as u64 + start;
        tensors.push((name, TensorInfo { dtype, shape: entry.shape, strides: None, file: 0, offset, len: stop - start }));
    }
    if end != data_len {
        return Err(Error::checkpoint(format!("{} bytes after the last tensor belong to none", data_len - end)));
    }
    Ok(tensors)
}

/// The header's text, and the byte where the data begins.
fn header(file: &[u8]) -> Result<(&str, usize)> {
    let Some((len, rest)) = file.split_first_chunk::<8>() else {
        return Err(Error::checkpoint(format!("{} bytes are too few for a safetensors file; it is truncated", file.len())));
    };
    let len = u64::from_le_bytes(*len);
    if rest.first().is_some_and(|&b| b != b'{') {
        return Err(Error::checkpoint("neither safetensors nor a PyTorch file: its first bytes belong to neither format"));
    }
    if len > MAX_HEADER_LEN {
        return Err(Error::checkpoint(format!("a safetensors header of {len} bytes is larger than {MAX_HEADER_LEN}")));
    }
    let header = rest.get(..len as usize).ok_or_else(|| {
        Error::checkpoint(format!("truncated: the safetensors header takes {len} bytes and the file has {} for it", rest.len()))
    })?;
    let header = std::str::from_utf8(header).map_err(|e| Error::checkpoint(format!("the safetensors header is not UTF-8: {e}")))?;
    Ok((header, 8 + header.len()))
}

/// That a tensor follows the one before it, lies inside the data, and takes as many bytes as its shape says.
fn check(entry: &Entry, previous_end: u64, data_len: u64) -> Result<Dtype> {
    let (start, end) = entry.data_offsets;
    let dtype = dtype(&entry.dtype)?;
    let wrong = |what: String| Err(Error::checkpoint(format!("data_offsets [{start}, {end}] {what}")));
    if end < start {
        return wrong("end before they begin".into());
    }
    if end > data_len {
        return wrong(format!("reach beyond the {data_len} bytes of data; the file is truncated or damaged"));
    }
    if start < previous_end {
        return wrong(format!("overlap the tensor before, which ends at {previous_end}"));
    }
    if start > previous_end {
        return wrong(format!("leave a hole after the tensor before, which ends at {previous_end}"));
    }
    match dtype.bytes(&entry.shape) {
        Some(expected) if expected == end - start => Ok(dtype),
        Some(expected) => wrong(format!("hold {} bytes, but {} {:?} takes {expected}", end - start, entry.dtype, entry.shape)),
        None => Err(Error::checkpoint(format!("shape {:?} is too large", entry.shape))),
    }
}

fn dtype(name: &str) -> Result<Dtype> {
    Ok(match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "F8_E4M3" => Dtype::F8E4M3,
        "F8_E5M2" => Dtype::F8E5M2,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U64" => Dtype::U64,
        "U32" => Dtype::U32,
        "U16" => Dtype::U16,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::Bool,
        _ => return Err(Error::unsupported(format!("elements of type `{name}` are not supported"))),
    })
}

/// What the header says of one tensor.
#[derive(serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

fn parse(header: &str) -> Result<Vec<(String, Entry)>> {
    let header: Header = serde_json::from_str(header).map_err(|e| Error::checkpoint(format!("the safetensors header is damaged: {e}")))?;
    Ok(header.0)
}

/// All entries of the header, where a name may come only once.
struct Header(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object with an entry per tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("`{name}` comes twice")));
            }
            if name == "__metadata__" {
                map.next_value::<Option<BTreeMap<String, String>>>().map_err(|e| A::Error::custom(format!("`__metadata__`: {e}")))?;
            } else {
                let entry = map.next_value().map_err(|e| A::Error::custom(format!("tensor `{name}`: {e}")))?;
                entries.push((name, entry));
            }
        }
        Ok(Header(entries))
    }
}

#[cfg(test)]
mod tests;

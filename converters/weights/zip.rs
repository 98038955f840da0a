//! Where the entries of a zip archive lie: just enough of the format to use stored entries in place.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const MAX_COMMENT_LEN: usize = u16::MAX as usize;
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_LEN: usize = 20;
const ZIP64_EXTRA: u16 = 1;

/// Whether a file looks like a zip archive.
pub(super) fn is_zip(file: &[u8]) -> bool {
    file.starts_with(LOCAL_HEADER)
}

/// Each entry's name, and the bytes of the file that are its content.
pub(super) fn entries(file: &[u8]) -> Result<BTreeMap<String, Range<usize>>> {
    let (mut at, count) =
        central_directory(file).ok_or_else(|| Error::checkpoint("truncated: the zip archive has no directory at its end"))?;
    let mut entries = BTreeMap::new();
    for i in 0..count {
        let entry = central_header(file, at).ok_or_else(|| Error::checkpoint(format!("entry {i} of the zip directory is damaged")))?;
        at = entry.next;
        let name = String::from_utf8_lossy(entry.name).into_owned();
        if entry.encrypted || entry.method != 0 || entry.packed_len != entry.len {
            return Err(Error::unsupported(format!(
                "entry `{name}` of the zip archive is compressed or encrypted, and PyTorch writes neither; unpack the archive and pack it again without compression"
            )));
        }
        let content = content(file, &entry).ok_or_else(|| Error::checkpoint(format!("entry `{name}` lies outside the zip archive")))?;
        if entries.insert(name, content).is_some() {
            return Err(Error::checkpoint(format!("entry {i} of the zip archive has the name of another one")));
        }
    }
    Ok(entries)
}

/// Where the central directory begins, and how many entries it has.
fn central_directory(file: &[u8]) -> Option<(usize, u64)> {
    let last = file.len().checked_sub(END_LEN)?;
    let end = (last.saturating_sub(MAX_COMMENT_LEN)..=last).rev().find(|&at| {
        let comment_len = u16_at(file, at + 20).map(usize::from);
        file[at..].starts_with(END) && comment_len == Some(file.len() - at - END_LEN)
    })?;
    let locator = end.checked_sub(LOCATOR_64_LEN).filter(|&at| file[at..].starts_with(LOCATOR_64));
    let Some(locator) = locator else {
        return Some((u32_at(file, end + 16)? as usize, u64::from(u16_at(file, end + 10)?)));
    };
    let end = usize::try_from(u64_at(file, locator + 8)?).ok()?;
    file.get(end..)?.starts_with(END_64).then_some(())?;
    Some((usize::try_from(u64_at(file, end.checked_add(48)?)?).ok()?, u64_at(file, end + 32)?))
}

struct CentralHeader<'a> {
    name: &'a [u8],
    encrypted: bool,
    method: u16,
    packed_len: u64,
    len: u64,
    local_header: u64,
    next: usize,
}

fn central_header(file: &[u8], at: usize) -> Option<CentralHeader<'_>> {
    let header = file.get(at..at.checked_add(46)?)?;
    header.starts_with(CENTRAL_HEADER).then_some(())?;
    let name_end = 46 + usize::from(u16_at(header, 28)?);
    let extra_end = name_end + usize::from(u16_at(header, 30)?);
    let end = extra_end + usize::from(u16_at(header, 32)?);
    let entry = file.get(at..at.checked_add(end)?)?;

    // Of the three numbers, those that do not fit 32 bits stand in the zip64 field, in this order.
    let mut wide = zip64_numbers(&entry[name_end..extra_end]);
    let mut number = |at| match u32_at(header, at)? {
        u32::MAX => wide.next(),
        n => Some(u64::from(n)),
    };
    let (len, packed_len, local_header) = (number(24)?, number(20)?, number(42)?);
    let encrypted = u16_at(header, 8)? & 1 != 0;
    Some(CentralHeader {
        name: &entry[46..name_end],
        encrypted,
        method: u16_at(header, 10)?,
        packed_len,
        len,
        local_header,
        next: at + end,
    })
}

/// The numbers of the zip64 field among the extra fields.
fn zip64_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut numbers: &[u8] = &[];
    while let (Some(id), Some(len)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(field) = extra.get(4..4 + usize::from(len)) else { break };
        if id == ZIP64_EXTRA {
            numbers = field;
            break;
        }
        extra = &extra[4 + field.len()..];
    }
    numbers.as_chunks::<8>().0.iter().map(|n| u64::from_le_bytes(*n))
}

/// The content follows the local header, whose name and extra fields may be longer than the central one's (PyTorch pads there).
fn content(file: &[u8], entry: &CentralHeader) -> Option<Range<usize>> {
    let at = usize::try_from(entry.local_header).ok()?;
    let header = file.get(at..at.checked_add(30)?)?;
    header.starts_with(LOCAL_HEADER).then_some(())?;
    let start = at + 30 + usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?);
    let end = start.checked_add(usize::try_from(entry.len).ok()?)?;
    (end <= file.len()).then_some(start..end)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

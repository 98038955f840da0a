//! WAVE files of more than 4 GB, and those that are written as if they were: RF64, BW64 and W64 become plain WAVE. Of plain ones the
//! sizes are what the file has: programs that do not know them, or are ended while they write, leave anything there.

use super::containers;

/// The file as a plain one where it is one of these; else as it is.
pub(super) fn with_short_chunks(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.get(8..12) == Some(b"WAVE") && matches!(&bytes[..4], b"RF64" | b"BW64" | b"RIFF") {
        if !bytes.starts_with(b"RIFF") {
            shorten(&mut bytes);
        }
        if containers::wave_format(&bytes).is_some_and(|format| format.starts_with(MP3)) {
            data_end(&mut bytes);
            return samples(bytes);
        }
        whole_bytes(&mut bytes);
        // A file that is cut off keeps the size that it had.
        let size = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX - 1).max(data_end(&mut bytes));
        let size = size.max(u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
    } else if bytes.starts_with(b"riff\x2e\x91\xcf\x11") {
        return from_w64(&bytes).unwrap_or(bytes);
    }
    bytes
}

/// What a file says of its samples that are packed as MP3.
const MP3: &[u8] = &[0x55, 0];

/// What such a file has around the MP3 file in it is of no use.
fn samples(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some((start, size)) = data(&bytes) else { return bytes };
    bytes.truncate(start.saturating_add(size as usize));
    bytes.drain(..start.min(bytes.len()));
    bytes
}

/// Where the samples begin, and how many bytes of them there are by what the file says.
fn data(bytes: &[u8]) -> Option<(usize, u32)> {
    let mut at = 12_usize;
    while let Some(head) = bytes.get(at..at.saturating_add(8)) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if head.starts_with(b"data") {
            return Some((at + 8, size));
        }
        at = at.saturating_add(size as usize).saturating_add(8 + size as usize % 2);
    }
    None
}

/// Where the samples end, by what the file says of them, from the eighth byte on. Where it says that there are none, which is what is
/// written before there are any, they are the rest of the file.
fn data_end(bytes: &mut [u8]) -> u32 {
    let Some((start, size)) = data(bytes) else { return 0 };
    let rest = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX - 1);
    if size == 0 {
        bytes[start - 4..start].copy_from_slice(&rest.to_le_bytes());
    }
    u32::try_from(start - 8).unwrap_or(u32::MAX).saturating_add(if size == 0 { rest } else { size })
}

/// Samples of a number of bits that are no whole bytes lie in whole ones, at their upper end.
fn whole_bytes(bytes: &mut [u8]) {
    let Some(at) = containers::wave_format(bytes).map(|format| bytes.len() - format.len()) else { return };
    let Some(format) = bytes.get_mut(at..at + 16) else { return };
    let bits = u16::from_le_bytes([format[14], format[15]]);
    if format.starts_with(&[1, 0]) && !bits.is_multiple_of(8) && bits < 32 {
        format[14..16].copy_from_slice(&bits.next_multiple_of(8).to_le_bytes());
    }
}

/// The sizes that did not fit stand in a chunk of their own.
fn shorten(bytes: &mut [u8]) {
    let sizes = bytes.get(12..36).filter(|chunk| chunk.starts_with(b"ds64"));
    let data = sizes.map_or(u64::MAX, |chunk| chunk[16..24].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    let end = bytes.len();
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if head.starts_with(b"data") {
            let rest = (end - at - 8) as u64;
            let size = if size == u32::MAX { data.min(rest) } else { u64::from(size) };
            bytes[at + 4..at + 8].copy_from_slice(&u32::try_from(size).unwrap_or(u32::MAX - 1).to_le_bytes());
            break;
        }
        at = at.saturating_add(size as usize).saturating_add(8 + size as usize % 2).min(end);
    }
    bytes[..8].copy_from_slice(b"RIFF\0\0\0\0");
}

/// Sony's format: chunks with names of 16 bytes, of which the first four are the usual ones, at places that 8 divides.
fn from_w64(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut wave = b"RIFF\xff\xff\xff\xffWAVE".to_vec();
    let mut at = 40;
    loop {
        let head = bytes.get(at..at + 24)?;
        let size = usize::try_from(u64::from_le_bytes(head[16..24].try_into().ok()?)).ok()?.checked_sub(24)?;
        let rest = bytes.get(at + 24..)?;
        let body = &rest[..size.min(rest.len())];
        if matches!(&head[..4], b"fmt " | b"data") {
            wave.extend_from_slice(&head[..4]);
            wave.extend_from_slice(&u32::try_from(body.len()).ok()?.to_le_bytes());
            wave.extend_from_slice(body);
        }
        if &head[..4] == b"data" {
            let size = u32::try_from(wave.len() - 8).ok()?;
            wave[4..8].copy_from_slice(&size.to_le_bytes());
            return Some(wave);
        }
        at = at.checked_add(24)?.checked_add(size.checked_next_multiple_of(8)?)?;
    }
}

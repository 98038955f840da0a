//! WAVE files of more than 4 GB, and those that are written as if they were: RF64, BW64 and W64 become plain WAVE. Of plain ones the
//! size of the whole is what the file has: programs that do not know it write anything.

/// The file as a plain one where it is one of these; else as it is.
pub(super) fn with_short_chunks(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.get(8..12) == Some(b"WAVE") && matches!(&bytes[..4], b"RF64" | b"BW64" | b"RIFF") {
        if !bytes.starts_with(b"RIFF") {
            shorten(&mut bytes);
        }
        // A file that is cut off keeps the size that it had.
        let size = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX - 1);
        let size = size.max(u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
    } else if bytes.starts_with(b"riff\x2e\x91\xcf\x11") {
        return from_w64(&bytes).unwrap_or(bytes);
    }
    bytes
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

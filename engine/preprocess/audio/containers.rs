//! Things that containers say about their sound and the decoding library does not pass on.

use crate::preprocess::boxes::{child, children};

/// Whether this is a WAVE file that gives a number of channels without saying where they are.
pub(super) fn is_wave_without_positions(bytes: &[u8]) -> bool {
    wave_format(bytes).is_some_and(|format| {
        let extensible = format.get(..2) == Some(&[0xfe, 0xff]);
        !extensible || format.get(20..24).is_none_or(|mask| mask == [0; 4])
    })
}

/// How many channels a WAVE file has.
pub(super) fn wave_channels(bytes: &[u8]) -> Option<u16> {
    let field = wave_format(bytes)?.get(2..4)?;
    Some(u16::from_le_bytes([field[0], field[1]]))
}

/// The rest of a WAVE file, from what it says about its samples.
pub(super) fn wave_format(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.get(8..12) != Some(b"WAVE") {
        return None;
    }
    let mut rest = &bytes[12..];
    while let Some((header, body)) = rest.split_at_checked(8) {
        if &header[..4] == b"fmt " {
            return Some(body);
        }
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        // Chunks start at even places.
        rest = body.get(size.saturating_add(size % 2)..)?;
    }
    None
}

/// How many samples at the start of an MP4 file's sound its edit list leaves out: what the encoder put before it.
pub(super) fn mp4_delay(bytes: &[u8]) -> Option<usize> {
    if bytes.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let movie = child(bytes, b"moov")?;
    let track = children(movie).filter(|(kind, _)| kind == b"trak").map(|(_, body)| body).find(|track| is_sound(track))?;
    let edits = child(child(track, b"edts")?, b"elst")?;
    let (version, entry) = (edits.first()?, edits.get(8..)?);
    let media_time = match version {
        0 => i64::from(i32::from_be_bytes(entry.get(4..8)?.try_into().ok()?)),
        _ => i64::from_be_bytes(entry.get(8..16)?.try_into().ok()?),
    };
    usize::try_from(media_time).ok().filter(|delay| *delay > 0)
}

fn is_sound(track: &[u8]) -> bool {
    let handler = child(track, b"mdia").and_then(|media| child(media, b"hdlr"));
    handler.and_then(|handler| handler.get(8..12)) == Some(b"soun")
}

/// How much of the last packet is padding, in nanoseconds, where a Matroska or WebM file says so.
pub(super) fn matroska_padding(bytes: &[u8]) -> Option<u64> {
    const SEGMENT: u64 = 0x1853_8067;
    const CLUSTER: u64 = 0x1f43_b675;
    const BLOCK_GROUP: u64 = 0xa0;
    const SIMPLE_BLOCK: u64 = 0xa3;
    const DISCARD_PADDING: u64 = 0x75a2;
    if !bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return None;
    }
    let mut padding = None;
    let mut rest = bytes;
    while let Some((id, after_id)) = vint(rest, true) {
        let Some((size, body)) = vint(after_id, false) else { break };
        match id {
            // What these hold is read as if it stood beside them.
            SEGMENT | CLUSTER | BLOCK_GROUP => {
                rest = body;
                continue;
            }
            SIMPLE_BLOCK => padding = None,
            DISCARD_PADDING => {
                let value = body.get(..usize::try_from(size).ok()?.min(8))?;
                padding = Some(value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
            }
            _ => {}
        }
        let Some(next) = usize::try_from(size).ok().and_then(|size| body.get(size..)) else { break };
        rest = next;
    }
    padding.filter(|nanoseconds| *nanoseconds < 1 << 40)
}

/// A number whose length its first bits say; the identifiers of elements keep these bits.
fn vint(bytes: &[u8], keep: bool) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    let field = bytes.get(..length).filter(|_| length <= 8)?;
    let value = field.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let mark = 1u64 << (7 * length);
    Some((if keep { value } else { value & (mark - 1) }, &bytes[length..]))
}

//! Two things that containers say about their sound and the decoding library does not pass on.

/// Whether this is a WAVE file that gives a number of channels without saying where they are.
pub(super) fn is_wave_without_positions(bytes: &[u8]) -> bool {
    if bytes.get(8..12) != Some(b"WAVE") {
        return false;
    }
    let mut rest = &bytes[12..];
    while let Some((header, body)) = rest.split_at_checked(8) {
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if &header[..4] == b"fmt " {
            let extensible = body.get(..2) == Some(&[0xfe, 0xff]);
            return !extensible || body.get(20..24).is_none_or(|mask| mask == [0; 4]);
        }
        // Chunks start at even places.
        let Some(next) = body.get(size.saturating_add(size % 2)..) else { break };
        rest = next;
    }
    false
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

fn child<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(kind, _)| kind == name).map(|(_, body)| body)
}

/// The boxes in a box: their names and contents.
fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
        let (header, size) = match size {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)).ok()?),
            size => (8, size),
        };
        let (this, next) = bytes.split_at_checked(size)?;
        bytes = next;
        Some((kind, this.get(header..)?))
    })
}

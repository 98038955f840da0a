//! How much is left out at the end of an Ogg file: what its last page says, as ffmpeg understands it.

use std::collections::VecDeque;

/// What the pages of one stream say.
#[derive(Debug, Default)]
pub(super) struct Ends {
    serial: u32,
    /// Whether there are pages with sound before the last one.
    is_long: bool,
    /// The time at the end of the last page, if the file marks it as the last.
    last: Option<u64>,
    /// Half of a short block of Vorbis.
    short_block: usize,
    /// Whether pages with sound do not say when they end: old programs wrote such, and what is derived from it is of no use.
    is_vague: bool,
}

impl Ends {
    /// Reads all pages: one entry for each of the streams that follow each other. Nothing of other files, nor of those with several
    /// streams at a time, of which ffmpeg takes what there is.
    pub(super) fn of_file(bytes: &[u8]) -> VecDeque<Self> {
        let mut streams: VecDeque<Self> = VecDeque::new();
        let mut rest = bytes;
        while let Some((page, after)) = page(rest) {
            rest = after;
            if streams.back().is_none_or(|ends| ends.last.is_some()) {
                streams.push_back(Self { serial: page.serial, ..Self::default() });
            }
            let Some(ends) = streams.back_mut() else { break };
            if ends.serial != page.serial {
                return VecDeque::new();
            }
            if let Some(sizes) = page.body.strip_prefix(b"\x01vorbis").and_then(|header| header.get(21)) {
                ends.short_block = 1 << (sizes & 15) >> 1;
            }
            ends.is_vague |= page.time == u64::MAX && page.ends_packet;
            if page.is_last {
                ends.last = Some(page.time);
            } else if page.time > 0 && page.time != u64::MAX {
                ends.is_long = true;
            }
        }
        streams
    }

    /// By how much this many samples of Vorbis are more than the last page says, where only that says so.
    pub(super) fn vorbis_surplus(&self, length: usize) -> Option<usize> {
        self.is_vague.then(|| self.opus_surplus(length))
    }

    /// Whether the surplus of a packet of Vorbis is cut off. ffmpeg does not where it is more than the packet has, and where all sound
    /// is on one page it counts the first block, which has none, as well.
    pub(super) fn cuts_vorbis(&self, surplus: usize, decoded: usize) -> bool {
        let counted = if self.is_long { surplus } else { surplus + self.short_block };
        surplus > 0 && self.last.is_some() && !self.is_vague && counted <= decoded
    }

    /// By how much this many samples of Opus are more than the last page says.
    pub(super) fn opus_surplus(&self, length: usize) -> usize {
        let end = self.last.and_then(|end| usize::try_from(end).ok());
        end.map_or(0, |end| length.saturating_sub(end))
    }
}

struct Page<'a> {
    serial: u32,
    time: u64,
    is_last: bool,
    /// Whether a packet ends on it.
    ends_packet: bool,
    body: &'a [u8],
}

/// The first page, and what follows it.
fn page(bytes: &[u8]) -> Option<(Page<'_>, &[u8])> {
    let header = bytes.strip_prefix(b"OggS")?;
    let time = u64::from_le_bytes(header.get(2..10)?.try_into().ok()?);
    let serial = u32::from_le_bytes(header.get(10..14)?.try_into().ok()?);
    let segments = usize::from(*header.get(22)?);
    let (sizes, body) = header.get(23..)?.split_at_checked(segments)?;
    let ends_packet = sizes.iter().any(|size| *size < 255);
    let (body, rest) = body.split_at_checked(sizes.iter().map(|size| usize::from(*size)).sum())?;
    Some((Page { serial, time, is_last: header.get(1)? & 4 != 0, ends_packet, body }, rest))
}

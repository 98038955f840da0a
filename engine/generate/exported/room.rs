//! Keys or values that runs write where they lie.

use super::ports::{Part, Size};
use crate::session::Buffer;
use crate::{Error, ErrorKind, Result};

/// Room is made for so many tokens at a time: growing copies what is there.
const STEP: usize = 256;

/// One part of the cache, `(rows, heads, room, width)`, of which the tokens lie at the front.
#[derive(Debug)]
pub(super) struct Room {
    buffer: Buffer,
    /// Whether runs keep what they need in the room that there is.
    is_window: bool,
}

impl Room {
    /// Whether a part has the shape of one.
    pub(super) fn fits(part: &Part) -> bool {
        matches!(part.shape[..], [Size::Rows(1), Size::Fixed(_), Size::Tokens, Size::Fixed(_)])
    }

    /// Without tokens; `window` is the room of one that never grows.
    pub(super) fn new(part: &Part, rows: usize, window: Option<usize>) -> Result<Self> {
        let [Size::Rows(1), Size::Fixed(heads), Size::Tokens, Size::Fixed(width)] = part.shape[..] else {
            return Err(Error::unsupported(format!("input `{}`: its shape is none of (rows, heads, tokens, width)", part.input)));
        };
        let buffer = Buffer::zeros_of(part.dtype, &[rows, heads, window.unwrap_or(0), width])?;
        Ok(Self { buffer, is_window: window.is_some() })
    }

    /// The tensor with room for so many tokens, of which some are there.
    pub(super) fn reserve(&mut self, tokens: usize, total: usize) -> Result<&mut Buffer> {
        if self.room() < total && !self.is_window {
            let rows: Vec<usize> = (0..self.shape()[0]).collect();
            self.buffer = self.moved(&rows, tokens, total.next_multiple_of(STEP))?;
        }
        Ok(&mut self.buffer)
    }

    /// Row `i` becomes a copy of what row `rows[i]` was, for as many rows as there are: only those that change are copied.
    pub(super) fn reorder(&mut self, rows: &[usize]) {
        let row = self.buffer.bytes().len() / self.shape()[0].max(1);
        let moved: Vec<(usize, usize)> = rows.iter().copied().enumerate().filter(|(to, from)| to != from).collect();
        let bytes = self.buffer.bytes_mut();
        let of = |from: &usize| bytes.get(from * row..(from + 1) * row).map(<[u8]>::to_vec).unwrap_or_default();
        let taken: Vec<Vec<u8>> = moved.iter().map(|(_, from)| of(from)).collect();
        for ((to, _), taken) in moved.iter().zip(taken) {
            if let Some(place) = bytes.get_mut(to * row..(to + 1) * row).filter(|place| place.len() == taken.len()) {
                place.copy_from_slice(&taken);
            }
        }
    }

    /// Rows of this one, as a copy.
    pub(super) fn selected(&self, rows: &[usize]) -> Result<Self> {
        Ok(Self { buffer: self.moved(rows, self.room(), self.room())?, is_window: self.is_window })
    }

    fn shape(&self) -> [usize; 4] {
        <[usize; 4]>::try_from(self.buffer.shape()).unwrap_or_default()
    }

    fn room(&self) -> usize {
        self.shape()[2]
    }

    /// So many tokens of these rows, with room for more.
    fn moved(&self, rows: &[usize], tokens: usize, room: usize) -> Result<Buffer> {
        let [_, heads, before, width] = self.shape();
        let mut buffer = Buffer::zeros_of(self.buffer.dtype(), &[rows.len(), heads, room, width]).map_err(|error| {
            let hint = "shorten the prompt, or ask for fewer tokens or beams";
            Error::new(ErrorKind::Runtime, format!("a cache of {} rows with {room} tokens: {error}; {hint}", rows.len()))
        })?;
        let bytes = |tokens: usize| self.buffer.dtype().bytes(&[tokens, width]).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let (old, new, kept) = (bytes(before), bytes(room), bytes(tokens));
        if kept > 0 {
            let places = rows.iter().flat_map(|row| (0..heads).map(move |head| row * heads + head));
            for (from, to) in places.zip(buffer.bytes_mut().chunks_exact_mut(new)) {
                let from = self.buffer.bytes().get(from * old..from * old + kept);
                if let (Some(from), Some(to)) = (from, to.get_mut(..kept)) {
                    to.copy_from_slice(from);
                }
            }
        }
        Ok(buffer)
    }
}

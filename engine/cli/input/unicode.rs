//! Text in whatever coding, as UTF-8: a byte order mark is dropped, and UTF-16 is recognised, with a mark or without.

use std::io::{self, Read};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;
/// Bytes that are looked at for the zeros that UTF-16 has and UTF-8 has not.
const LOOKED_AT: usize = 1 << 10;
const MARKS: [(&[u8], Coding); 3] =
    [(b"\xef\xbb\xbf", Coding::Utf8), (b"\xff\xfe", Coding::Utf16 { big: false }), (b"\xfe\xff", Coding::Utf16 { big: true })];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Coding {
    Utf8,
    Utf16 { big: bool },
}

/// Reads as UTF-8. What is no text stays what no reader of UTF-8 takes: half of a pair of surrogates is written as if it were a character.
pub(super) struct Utf8<R> {
    inner: R,
    coding: Option<Coding>,
    /// Read, and not yet looked at.
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf8<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, coding: None, raw: Vec::new(), ready: Vec::new(), given: 0, ended: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let before = self.raw.len();
        self.raw.resize(before + CHUNK, 0);
        let read = self.inner.read(&mut self.raw[before..]);
        self.raw.truncate(before + read.as_ref().copied().unwrap_or(0));
        self.ended |= read? == 0;
        if self.coding.is_none()
            && let Some((coding, mark)) = coding(&self.raw, self.ended)
        {
            self.coding = Some(coding);
            self.raw.drain(..mark);
        }
        self.ready.clear();
        self.given = 0;
        match self.coding {
            None => {}
            Some(Coding::Utf8) => std::mem::swap(&mut self.ready, &mut self.raw),
            Some(Coding::Utf16 { big }) => {
                let taken = from_utf16(&self.raw, big, self.ended, &mut self.ready);
                self.raw.drain(..taken);
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !self.ended {
            self.fill()?;
        }
        let rest = &self.ready[self.given..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// All of it.
pub(crate) fn to_utf8(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    // Reading from memory does not fail.
    let _ = Utf8::new(bytes).read_to_end(&mut out);
    out
}

/// The coding of a text that begins so, and the length of its mark; `None` where more has to be seen.
fn coding(bytes: &[u8], ended: bool) -> Option<(Coding, usize)> {
    if let Some((mark, coding)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some((*coding, mark.len()));
    }
    let may_be_mark = MARKS.iter().any(|(mark, _)| mark.starts_with(bytes));
    // Nobody should have to write on before a lone line end is seen.
    let too_short = bytes.len() < 2 && bytes != b"\n";
    if !ended && (may_be_mark || too_short) {
        return None;
    }
    let looked_at = &bytes[..bytes.len().min(LOOKED_AT)];
    let zeros = |offset: usize| looked_at.iter().skip(offset).step_by(2).any(|byte| *byte == 0);
    let coding = match (zeros(0), zeros(1)) {
        (false, true) => Coding::Utf16 { big: false },
        (true, false) => Coding::Utf16 { big: true },
        _ => Coding::Utf8,
    };
    Some((coding, 0))
}

/// Writes whole characters as UTF-8, and says how many bytes these were.
fn from_utf16(bytes: &[u8], big: bool, ended: bool, out: &mut Vec<u8>) -> usize {
    let unit = |pair: &[u8]| if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) };
    let mut units = bytes.chunks_exact(2).map(unit).peekable();
    let mut taken = 0;
    while let Some(first) = units.next() {
        let is_first_half = (0xd800..0xdc00).contains(&first);
        if is_first_half && units.peek().is_none() && !ended {
            break;
        }
        let second = units.next_if(|second| is_first_half && (0xdc00..0xe000).contains(second));
        let code = match second {
            Some(second) => 0x10000 + ((u32::from(first) & 0x3ff) << 10) + (u32::from(second) & 0x3ff),
            None => u32::from(first),
        };
        match char::from_u32(code) {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
        }
        taken += if second.is_some() { 4 } else { 2 };
    }
    if ended && taken < bytes.len() {
        // Half a unit.
        out.push(0xff);
        taken = bytes.len();
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    /// Gives so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn codings() {
        let text = "Grüße, 日本 🗼\r\nzweite\n";
        let marked = |mark: &[u8], text: Vec<u8>| [mark, &text].concat();
        for bytes in [
            text.as_bytes().to_vec(),
            marked(b"\xef\xbb\xbf", text.as_bytes().to_vec()),
            marked(b"\xff\xfe", utf16(text, false)),
            marked(b"\xfe\xff", utf16(text, true)),
            utf16(text, false),
            utf16(text, true),
        ] {
            assert_eq!(to_utf8(&bytes), text.as_bytes(), "{bytes:?}");
            for at_once in 1..5 {
                let mut read = String::new();
                Utf8::new(Slow(&bytes, at_once)).read_to_string(&mut read).unwrap();
                assert_eq!(read, text, "{bytes:?} by {at_once}");
            }
        }
        for (bytes, expected) in [
            (&b""[..], &b""[..]),
            (b"\n", b"\n"),
            (b"a", b"a"),
            (b"\xff", b"\xff"),
            // Half of a pair, and half of a unit.
            (b"\xff\xfe\x3d\xd8\x0a\x00", b"\xed\xa0\xbd\n"),
            (b"\xff\xfea\x00b", b"a\xff"),
        ] {
            assert_eq!(to_utf8(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn text_is_read_whatever_its_coding(text in "\\PC*", big in any::<bool>(), at_once in 1usize..9) {
            let bytes = [if big { &b"\xfe\xff"[..] } else { b"\xff\xfe" }, &utf16(&text, big)].concat();
            let mut read = String::new();
            Utf8::new(Slow(&bytes, at_once)).read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}

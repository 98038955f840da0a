//! Lines as they come, each of them bounded, those that are no text among the others.

use std::io::{BufRead, BufReader, Read};

use super::unicode::Utf8;

/// A longer line is a mistake, such as a file that has none.
const MOST_BYTES: usize = 64 << 20;

/// The lines of a text.
pub(super) struct Lines<R> {
    reader: BufReader<Utf8<R>>,
    number: u64,
    most: usize,
    ended: bool,
}

/// A line without its end, or what is wrong with it.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) text: Result<String, String>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(Utf8::new(reader)), number: 0, most: MOST_BYTES, ended: false }
    }

    /// A line's bytes; `None` at the end. What is too long is not kept.
    fn bytes(&mut self) -> std::io::Result<Option<Result<Vec<u8>, String>>> {
        let (mut line, mut length, mut begun) = (Vec::new(), 0_usize, false);
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                break;
            }
            begun = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            length = length.saturating_add(part.len());
            if length <= self.most {
                line.extend_from_slice(part);
            } else {
                line = Vec::new();
            }
            let taken = part.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length > self.most {
            return Ok(Some(Err(format!("{length} bytes in a line are more than the {} that one may have", self.most))));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(begun.then_some(Ok(line)))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = std::io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.bytes() {
            Ok(Some(line)) => {
                self.number += 1;
                let utf8 = |line| String::from_utf8(line).map_err(|e| format!("byte {} is not UTF-8", e.utf8_error().valid_up_to()));
                Some(Ok(Line { number: self.number, text: line.and_then(utf8) }))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_is_wrong_with_them() {
        let read = |bytes: &[u8]| {
            let lines = Lines { most: 8, ..Lines::new(bytes) };
            lines.map(|line| line.unwrap().text).collect::<Vec<_>>()
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\n"), [ok("")]);
        assert_eq!(read(b"a\r\n\nb"), [ok("a"), ok(""), ok("b")]);
        assert_eq!(read(b"\xef\xbb\xbfa\nb\xff\nc"), [ok("a"), Err("byte 1 is not UTF-8".into()), ok("c")]);
        let long = [&[b'x'; 100_000][..], b"\n12345678\n"].concat();
        assert_eq!(read(&long), [Err("100000 bytes in a line are more than the 8 that one may have".into()), ok("12345678")]);
        let numbers: Vec<u64> = Lines::new(&b"a\nb\xff\n\nc"[..]).map(|line| line.unwrap().number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
}

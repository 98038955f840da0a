//! Messages that quote what they are about, however long that is.

use std::fmt::{self, Write};

/// Bytes of a message that stays as it is.
const LONGEST: usize = 2000;
/// Of a longer one this much is kept of its beginning, where places are named.
const FIRST: usize = 500;
/// This much is kept of its end, where the advice is.
const LAST: usize = 300;

/// A message without its middle where it is very long, as when a value of megabytes is quoted. What is left out takes no memory.
pub fn shortened(message: impl fmt::Display) -> String {
    let mut kept = Kept::default();
    // Only a `Display` that fails by itself is an error; what it wrote until then is told.
    let _ = write!(kept, "{message}");
    kept.finish()
}

/// The beginning of a text, and the end of what follows.
#[derive(Default)]
struct Kept {
    first: String,
    last: String,
    bytes: usize,
}

impl Write for Kept {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        let room = if self.last.is_empty() { LONGEST - self.first.len() } else { 0 };
        let (first, rest) = text.split_at(text.floor_char_boundary(room));
        self.first.push_str(first);
        self.last.push_str(&rest[rest.ceil_char_boundary(rest.len().saturating_sub(LAST))..]);
        if self.last.len() > 8 * LAST {
            self.last = end(&self.last).to_owned();
        }
        Ok(())
    }
}

impl Kept {
    fn finish(self) -> String {
        if self.bytes <= LONGEST {
            return self.first + &self.last;
        }
        let (first, middle) = self.first.split_at(self.first.floor_char_boundary(FIRST));
        let rest = middle.to_owned() + &self.last;
        let last = end(&rest);
        format!("{first} … ({} bytes left out) … {last}", self.bytes - first.len() - last.len())
    }
}

/// The last bytes of a text, from a whole character on.
fn end(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(LAST))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_messages_are_cut_and_between_characters() {
        for short in ["", "config.json: no object", &"ü".repeat(1000), &"a".repeat(LONGEST)] {
            assert_eq!(shortened(short), short);
        }
        for piece in ["a", "ü", "日", "𝄞", "日𝄞üa"] {
            let long = format!("config.json: hidden_size: {}: a number is expected", piece.repeat(500_000 / piece.len()));
            let cut = shortened(&long);
            assert!(cut.starts_with("config.json: hidden_size: ") && cut.ends_with(": a number is expected"), "{cut}");
            assert!(cut.len() < FIRST + LAST + 60, "{}", cut.len());
            let (before, rest) = cut.split_once(" … (").unwrap();
            let (count, after) = rest.split_once(" bytes left out) … ").unwrap();
            assert_eq!(before.len() + after.len() + count.parse::<usize>().unwrap(), long.len());
            // However it comes, piece by piece or at once.
            struct Pieces<'a>(&'a str);
            impl fmt::Display for Pieces<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.chars().try_for_each(|c| f.write_char(c))
                }
            }
            assert_eq!(shortened(Pieces(&long)), cut);
            assert!(shortened(format!("model: {cut}")).starts_with("model: config.json"));
        }
        assert!(shortened("a".repeat(LONGEST + 1)).contains("(1201 bytes left out)"));
    }
}

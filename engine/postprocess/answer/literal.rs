//! Values as JSON or Python writes them.

use serde_json::{Map, Value};

use super::cursor::{Cursor, Step, Stop};

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

impl<'t> Cursor<'t> {
    /// A value. Models mix the two: `True`, `None`, tuples and texts between single quotation marks are read beside JSON, and a text may
    /// go over several lines.
    pub(super) fn value(&mut self) -> Step<Value> {
        self.value_within(DEEPEST)
    }

    /// An object.
    pub(super) fn object(&mut self) -> Step<Map<String, Value>> {
        self.space();
        match self.peek()? {
            '{' => match self.value()? {
                Value::Object(fields) => Ok(fields),
                _ => Err(Stop::No),
            },
            _ => Err(Stop::No),
        }
    }

    /// Things between two marks with commas between them.
    pub(super) fn list<T>(&mut self, open: char, close: char, mut one: impl FnMut(&mut Self) -> Step<T>) -> Step<Vec<T>> {
        let mut all = Vec::new();
        self.space();
        self.takes_character(open)?;
        loop {
            self.space();
            if self.peek()? == close {
                self.next()?;
                return Ok(all);
            }
            all.push(one(self)?);
            self.space();
            if self.peek()? != close {
                self.takes_character(',')?;
            }
        }
    }

    /// Takes a character, which must come next.
    pub(super) fn takes_character(&mut self, wanted: char) -> Step<()> {
        if self.next()? == wanted { Ok(()) } else { Err(Stop::No) }
    }

    fn value_within(&mut self, deeper: usize) -> Step<Value> {
        let deeper = deeper.checked_sub(1).ok_or(Stop::No)?;
        self.space();
        match self.peek()? {
            '[' => self.list('[', ']', |rest| rest.value_within(deeper)).map(Value::Array),
            '(' => self.list('(', ')', |rest| rest.value_within(deeper)).map(Value::Array),
            '{' => self.braces(deeper),
            '"' | '\'' => self.quoted(false).map(Value::String),
            _ => self.bare(),
        }
    }

    /// An object; Python's sets, which JSON does not have, are lists.
    fn braces(&mut self, deeper: usize) -> Step<Value> {
        let mut fields = Map::new();
        let items = self.list('{', '}', |rest| {
            let key = rest.value_within(deeper)?;
            rest.space();
            if rest.peek()? != ':' {
                return Ok(Some(key));
            }
            rest.next()?;
            let value = rest.value_within(deeper)?;
            let key = match key {
                Value::String(key) => key,
                // Python's dictionaries have other keys as well; JSON writes these as texts.
                Value::Array(_) | Value::Object(_) => return Err(Stop::No),
                other => other.to_string(),
            };
            fields.insert(key, value);
            Ok(None)
        })?;
        let items: Vec<Value> = items.into_iter().flatten().collect();
        match (items.is_empty(), fields.is_empty()) {
            (true, _) => Ok(Value::Object(fields)),
            (false, true) => Ok(Value::Array(items)),
            (false, false) => Err(Stop::No),
        }
    }

    /// A word or a number, or a text with letters before it, as Python has them.
    fn bare(&mut self) -> Step<Value> {
        let word = self.word(|c| c.is_alphanumeric() || "_.+-".contains(c))?;
        if self.is_python && self.rest().starts_with(['"', '\'']) && PREFIXES.contains(&word.to_ascii_lowercase().as_str()) {
            return self.quoted(word.contains(['r', 'R'])).map(Value::String);
        }
        match word {
            "True" | "true" => Ok(Value::Bool(true)),
            "False" | "false" => Ok(Value::Bool(false)),
            "None" | "null" => Ok(Value::Null),
            number => number_in(number).ok_or(Stop::No),
        }
    }

    /// A text between quotation marks. Where it ends is what its own escapes say, so that marks in it end nothing. In a raw one an escape
    /// is two characters of the text.
    fn quoted(&mut self, is_raw: bool) -> Step<String> {
        let quote = self.next()?;
        let thrice: String = [quote; 3].iter().collect();
        self.back_to(self.at() - quote.len_utf8());
        let is_long = self.takes(&thrice)?;
        if !is_long {
            self.next()?;
        }
        let mut out = String::new();
        loop {
            if is_long && self.takes(&thrice)? {
                return Ok(out);
            }
            match self.next()? {
                end if end == quote && !is_long && self.ends_text()? => return Ok(out),
                '\\' if is_raw => out.extend(['\\', self.next()?]),
                '\\' => match self.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'u' => out.push(self.unicode()?),
                    // Python's way to go on in the next line.
                    '\n' if self.is_python => {}
                    'x' if self.is_python => match self.maybe(|rest| rest.hexadecimal(2))? {
                        Some(code) => out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
                        None => out.push_str("\\x"),
                    },
                    escaped @ ('\\' | '\'' | '"' | '/') => out.push(escaped),
                    other => out.extend(['\\', other]),
                },
                other => out.push(other),
            }
        }
    }

    /// Whether a quotation mark before the place ends a text. In Python's calls models forget to escape marks inside of commands: there
    /// one ends the text only where what follows fits.
    fn ends_text(&self) -> Step<bool> {
        if !self.is_python {
            return Ok(true);
        }
        let mut behind = self.clone();
        behind.space();
        Ok(behind.is_over()? || [',', ')', ']', '}', ':'].contains(&behind.peek()?))
    }

    /// The character of a number behind `\u`, or of two that are halves of one.
    fn unicode(&mut self) -> Step<char> {
        let first = self.hexadecimal(4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let second = self.maybe(|rest| {
            rest.expect("\\u")?;
            rest.hexadecimal(4).and_then(|half| if (0xdc00..0xe000).contains(&half) { Ok(half) } else { Err(Stop::No) })
        })?;
        let whole = second.and_then(|second| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
        Ok(whole.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self, digits: u32) -> Step<u32> {
        (0..digits).try_fold(0, |number, _| Ok(number * 16 + self.next()?.to_digit(16).ok_or(Stop::No)?))
    }
}

/// What Python has before a text between quotation marks: the first is a raw one.
const PREFIXES: &[&str] = &["r", "u"];

/// A number as JSON or Python writes it. Those that JSON has no way to write, which Python reads, are the texts that protocol buffers have
/// for them.
fn number_in(text: &str) -> Option<Value> {
    let read = |text: &str| serde_json::from_str(text).ok().filter(Value::is_number);
    if ["NaN", "Infinity", "-Infinity"].contains(&text) {
        return Some(Value::from(text));
    }
    // Python writes `1_000`, `+1`, `.5` and `5.` as well.
    read(text).or_else(|| {
        let starts = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE_".contains(&b));
        let digits = text.replace('_', "");
        let exact = digits.parse::<i64>().ok().map(Value::from);
        let float = || match digits.parse::<f64>().ok()? {
            number if number.is_finite() => Some(Value::from(number)),
            beyond => Some(Value::from(if beyond > 0.0 { "Infinity" } else { "-Infinity" })),
        };
        if starts && plain { exact.or_else(float) } else { None }
    })
}

/// The value that a whole text is.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut cursor = Cursor::new(text, 0, true);
    let value = cursor.value().ok()?;
    cursor.rest().trim().is_empty().then_some(value)
}

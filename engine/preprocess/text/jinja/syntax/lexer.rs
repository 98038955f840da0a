//! Cuts a template into tokens, with the whitespace rules of chat templates: a line break behind a block is dropped (`trim_blocks`), and
//! so are spaces before a block that begins its line (`lstrip_blocks`).

use std::sync::Arc;

use super::literals;
use super::token::{Token, TokenKind};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::text::is_space;

/// Longer ones first.
const OPERATORS: [&str; 26] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
];

/// The tokens of a template, the last one its end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, place: 0, line: 1, counted: 0, tokens: Vec::new(), line_starts: true };
    lexer.root()?;
    lexer.push(TokenKind::End);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    place: usize,
    /// The line of `counted`.
    line: u32,
    counted: usize,
    tokens: Vec<Token>,
    /// Whether what was read last ends with a line break.
    line_starts: bool,
}

/// How a tag is closed.
struct Closing {
    end: &'static str,
    token: TokenKind,
    /// Whether `+` may stand before it, and a line break behind it is dropped.
    block: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.place..]
    }

    fn push(&mut self, kind: TokenKind) {
        let line = self.line();
        self.tokens.push(Token { line, kind });
    }

    /// The line of the place that is read.
    fn line(&mut self) -> u32 {
        let lines = self.source[self.counted..self.place].bytes().filter(|byte| *byte == b'\n').count();
        self.counted = self.place;
        self.line = self.line.saturating_add(lines as u32);
        self.line
    }

    fn fail<T>(&mut self, message: impl Into<String>) -> Result<T> {
        Err(Error::syntax(self.line(), message))
    }

    /// Goes on, and remembers whether a line begins behind.
    fn advance(&mut self, length: usize) {
        let end = self.place + length;
        if length > 0 {
            self.line_starts = self.source[self.place..end].ends_with('\n');
        }
        self.place = end;
    }

    fn root(&mut self) -> Result<()> {
        while self.place < self.source.len() {
            let rest = self.rest();
            let Some(start) = first_tag(rest) else {
                self.push(TokenKind::Data(rest.into()));
                self.advance(rest.len());
                return Ok(());
            };
            let (text, tag) = rest.split_at(start);
            if let Some(length) = raw_begin(tag) {
                self.data(text, tag);
                self.advance(start + length);
                self.raw()?;
                continue;
            }
            self.data(text, tag);
            self.advance(start);
            let sign = usize::from(tag[2..].starts_with(['-', '+']));
            match &tag[..2] {
                "{#" => {
                    self.advance(2 + sign);
                    self.comment()?;
                }
                "{%" => {
                    self.push(TokenKind::BlockBegin);
                    self.advance(2 + sign);
                    self.inside(&Closing { end: "%}", token: TokenKind::BlockEnd, block: true })?;
                }
                _ => {
                    self.push(TokenKind::VariableBegin);
                    self.advance(2 + sign);
                    self.inside(&Closing { end: "}}", token: TokenKind::VariableEnd, block: false })?;
                }
            }
        }
        Ok(())
    }

    /// Text before a tag, without the spaces that the tag takes away.
    fn data(&mut self, text: &str, tag: &str) {
        let kept = match tag.as_bytes().get(2) {
            Some(b'-') => text.trim_end_matches(is_space),
            Some(b'+') => text,
            _ if tag.starts_with("{{") => text,
            _ => {
                let line = text.rfind('\n').map_or(0, |end| end + 1);
                let blank = (line > 0 || self.line_starts) && line < text.len() && text[line..].chars().all(is_space);
                if blank { &text[..line] } else { text }
            }
        };
        if !kept.is_empty() {
            self.push(TokenKind::Data(kept.into()));
        }
    }

    fn raw(&mut self) -> Result<()> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest[from..].find("{%") {
            let start = from + found;
            if let Some(length) = raw_end(&rest[start..]) {
                self.data(&rest[..start], &rest[start..]);
                self.advance(start + length);
                return Ok(());
            }
            from = start + 2;
        }
        // As in Jinja, nothing is missing where nothing follows.
        if rest.is_empty() { Ok(()) } else { self.fail("Missing end of raw directive") }
    }

    fn comment(&mut self) -> Result<()> {
        let rest = self.rest();
        let Some(end) = rest.find("#}") else {
            return if rest.is_empty() { Ok(()) } else { self.fail("Missing end of comment tag") };
        };
        let sign = rest[..end].chars().next_back();
        let behind = &rest[end + 2..];
        let dropped = match sign {
            Some('-') => behind.len() - behind.trim_start_matches(is_space).len(),
            Some('+') => 0,
            _ => usize::from(behind.starts_with('\n')),
        };
        self.advance(end + 2 + dropped);
        Ok(())
    }

    /// The length of the end of a tag that stands here.
    fn closes(&self, closing: &Closing) -> Option<usize> {
        let rest = self.rest();
        if let Some(behind) = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(closing.end)) {
            return Some(rest.len() - behind.trim_start_matches(is_space).len());
        }
        if closing.block && rest.strip_prefix('+').is_some_and(|rest| rest.starts_with(closing.end)) {
            return Some(1 + closing.end.len());
        }
        let behind = rest.strip_prefix(closing.end)?;
        Some(closing.end.len() + usize::from(closing.block && behind.starts_with('\n')))
    }

    /// The tokens of a tag, up to its end.
    fn inside(&mut self, closing: &Closing) -> Result<()> {
        let mut open = Vec::new();
        while let Some(next) = self.rest().chars().next() {
            if open.is_empty()
                && let Some(length) = self.closes(closing)
            {
                self.push(closing.token.clone());
                self.advance(length);
                return Ok(());
            }
            if is_space(next) {
                self.advance(next.len_utf8());
                continue;
            }
            self.token(&mut open)?;
        }
        Ok(())
    }

    fn token(&mut self, open: &mut Vec<char>) -> Result<()> {
        let rest = self.rest();
        let after_dot = self.source[..self.place].ends_with('.');
        let number = if after_dot { None } else { literals::float(rest) }.or_else(|| literals::integer(rest));
        if let Some((length, number)) = number {
            let number = match number {
                Ok(number) => number,
                Err(message) => return self.fail(message),
            };
            self.push(number);
            self.advance(length);
            return Ok(());
        }
        let length = rest.find(|c: char| !literals::is_word(c)).unwrap_or(rest.len());
        if length > 0 {
            let name = &rest[..length];
            if !literals::is_identifier(name) {
                return self.fail("Invalid character in identifier");
            }
            self.push(TokenKind::Name(Arc::from(name)));
            self.advance(length);
            return Ok(());
        }
        if let Some(length) = literals::string(rest) {
            match literals::unescape(&rest[1..length - 1]) {
                Ok(text) => self.push(TokenKind::String(text)),
                Err(message) => return self.fail(message),
            }
            self.advance(length);
            return Ok(());
        }
        let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            let (c, at) = (rest.chars().next().unwrap_or_default(), self.source[..self.place].chars().count());
            return self.fail(format!("unexpected char {c:?} at {at}"));
        };
        self.balance(operator, open)?;
        self.push(TokenKind::Operator(operator));
        self.advance(operator.len());
        Ok(())
    }

    fn balance(&mut self, operator: &str, open: &mut Vec<char>) -> Result<()> {
        match operator {
            "{" => open.push('}'),
            "(" => open.push(')'),
            "[" => open.push(']'),
            "}" | ")" | "]" => match open.pop() {
                None => return self.fail(format!("unexpected '{operator}'")),
                Some(expected) if !operator.starts_with(expected) => {
                    return self.fail(format!("unexpected '{operator}', expected '{expected}'"));
                }
                Some(_) => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// Where the first tag begins.
fn first_tag(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1)).find(|index| bytes[*index] == b'{' && matches!(bytes[index + 1], b'{' | b'%' | b'#'))
}

/// The length of `{% raw %}`, if it stands here. Unlike other blocks it keeps the line break behind it.
fn raw_begin(tag: &str) -> Option<usize> {
    let rest = tag.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start_matches(is_space);
    let rest = rest.strip_prefix("raw")?.trim_start_matches(is_space);
    let behind = match rest.strip_prefix("-%}") {
        Some(behind) => behind.trim_start_matches(is_space),
        None => rest.strip_prefix("%}")?,
    };
    Some(tag.len() - behind.len())
}

/// The length of `{% endraw %}`, if it stands here.
fn raw_end(tag: &str) -> Option<usize> {
    let rest = tag.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start_matches(is_space);
    let rest = rest.strip_prefix("endraw")?.trim_start_matches(is_space);
    let behind = if let Some(behind) = rest.strip_prefix("-%}") {
        behind.trim_start_matches(is_space)
    } else if let Some(behind) = rest.strip_prefix("+%}") {
        behind
    } else {
        let behind = rest.strip_prefix("%}")?;
        behind.strip_prefix('\n').unwrap_or(behind)
    };
    Some(tag.len() - behind.len())
}

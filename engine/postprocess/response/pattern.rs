//! Where a region begins or ends: regular expressions as Python writes them, and plain texts.

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::beginnings::Beginnings;
use crate::{Error, ErrorKind, Result};

/// A regular expression of Python, in which a dot is any character.
pub(super) fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    Regex::new(&format!("(?s){}", translated(pattern))).map_err(|error| error.to_string())
}

/// What Python writes otherwise than the crate `regex`.
pub(super) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    // Inside of `[…]`, and just behind its beginning.
    let (mut inside, mut first) = (false, false);
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let was_first = std::mem::take(&mut first);
        match character {
            '\\' => match characters.next() {
                Some('Z') if !inside => out.push_str("\\z"),
                Some(escaped) if escaped.is_alphanumeric() => out.extend(['\\', escaped]),
                Some(escaped) => out.push_str(&plain(escaped)),
                None => out.push('\\'),
            },
            '[' if !inside => {
                (inside, first) = (true, true);
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' if inside && was_first => out.push_str("\\]"),
            ']' if inside => {
                inside = false;
                out.push(']');
            }
            // No sets of sets.
            '[' | '&' | '~' => out.extend(['\\', character]),
            '-' if inside && characters.peek() == Some(&'-') => out.push_str("\\-"),
            '$' if !inside => out.push_str("(?=\\n?\\z)"),
            other => out.push(other),
        }
    }
    out
}

/// A character for itself.
fn plain(character: char) -> String {
    if character.is_ascii_punctuation() && !['<', '>'].contains(&character) { format!("\\{character}") } else { character.to_string() }
}

/// A place in a text, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Named groups that took part.
    pub(super) captures: Map<String, Value>,
}

/// How a region begins or ends.
#[derive(Debug)]
pub(super) enum Delimiter {
    /// One of these texts.
    Literals(Vec<String>),
    /// A regular expression, and what tells where one may begin whose end has not come.
    Pattern(Box<Regex>, Box<Beginnings>),
}

impl Delimiter {
    /// From two fields of an object, of which at most one is there: the texts, and the regular expression.
    pub(super) fn read(scope: &str, object: &Map<String, Value>, literal: &str, pattern: &str) -> Result<Option<Self>> {
        let wrong = |message: String| Err(Error::config(format!("{scope}: {message}")));
        match (object.get(literal), object.get(pattern)) {
            (Some(_), Some(_)) => wrong(format!("{literal} and {pattern} together; one of them")),
            (None, None) => Ok(None),
            (None, Some(Value::String(regex))) => match compile(regex) {
                Ok(compiled) => Ok(Some(Self::Pattern(Box::new(compiled), Box::new(Beginnings::new(regex))))),
                Err(error) => wrong(format!("{pattern}: {error}")),
            },
            (None, Some(other)) => wrong(format!("{pattern}: not a string: {other}")),
            (Some(given), None) => {
                let list = match given {
                    Value::Array(list) => list.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let texts: Option<Vec<String>> = list.iter().map(|text| text.as_str().map(str::to_owned)).collect();
                match texts {
                    Some(texts) if !texts.is_empty() && texts.iter().all(|text| !text.is_empty()) => Ok(Some(Self::Literals(texts))),
                    _ => wrong(format!("{literal}: neither a text nor a list of texts")),
                }
            }
        }
    }

    /// The names of groups.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Literals(_) => Vec::new(),
            Self::Pattern(regex, _) => regex.capture_names().flatten().collect(),
        }
    }

    /// The first place from a position on; of texts that begin there the longest.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Place>> {
        match self {
            Self::Literals(literals) => {
                let rest = text.get(from..).unwrap_or_default();
                let places = literals.iter().filter_map(|literal| Some((from + rest.find(literal)?, literal.len())));
                let first = places.min_by_key(|(start, length)| (*start, usize::MAX - length));
                Ok(first.map(|(start, length)| Place { start, end: start + length, captures: Map::new() }))
            }
            Self::Pattern(regex, _) => {
                let found = regex.captures_from_pos(text, from).map_err(|error| too_hard(regex, &error))?;
                let Some(found) = found else { return Ok(None) };
                let names = regex.capture_names().flatten();
                let captures = names.filter_map(|name| Some((name.to_owned(), Value::from(found.name(name)?.as_str())))).collect();
                Ok(found.get(0).map(|whole| Place { start: whole.start(), end: whole.end(), captures }))
            }
        }
    }
}

impl Delimiter {
    /// The first place from a position on where one may begin whose end has not come yet, or may be another one with what follows.
    pub(super) fn may_begin(&self, text: &str, from: usize) -> Option<usize> {
        match self {
            Self::Literals(literals) => {
                let longest = literals.iter().map(String::len).max().unwrap_or_default();
                let first = from.max(text.len().saturating_sub(longest));
                (first..text.len()).find(|place| {
                    let begins = |rest: &str| literals.iter().any(|literal| literal.len() > rest.len() && literal.starts_with(rest));
                    text.get(*place..).is_some_and(begins)
                })
            }
            Self::Pattern(_, beginnings) => beginnings.first(text, from),
        }
    }
}

/// A search that takes too many steps.
pub(super) fn too_hard(regex: &Regex, error: &fancy_regex::Error) -> Error {
    Error::new(ErrorKind::Answer, format!("response_template: {}: {error}", regex.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_writes_regular_expressions_so() {
        let cases = [
            (r"\<a\>$", "<a>\n", Some(0)),
            (r"a\Z", "a\n", None),
            (r"[[&&]+", "x[&", Some(1)),
            (r"[]a]+", "b]a", Some(1)),
            (r"[^]]", "]]x", Some(2)),
            (r"a.b", "a\nb", Some(0)),
            (r"(?P<x>a)(?P=x)", "baa", Some(1)),
            (r"[a--]", "-", Some(0)),
            (r"\ \-\#\:", " -#:", Some(0)),
        ];
        for (pattern, text, wanted) in cases {
            let found = compile(pattern).unwrap().find(text).unwrap().map(|found| found.start());
            assert_eq!(found, wanted, "{pattern}");
        }
    }
}

//! Formats of texts.

use serde_json::Value;

use super::{patterns, short};

/// Formats that the engine knows.
const FORMATS: [&str; 10] = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];
/// Formats that are patterns.
const PATTERNS: [(&str, &str); 2] =
    [("json-pointer", "^(?:/(?:[^~/]|~[01])*)*$"), ("relative-json-pointer", "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)$")];
/// Formats that say something to people and programs, but nothing about the text.
const SILENT: [&str; 14] = [
    "binary",
    "char",
    "commonmark",
    "decimal",
    "directory-path",
    "double",
    "file-path",
    "float",
    "html",
    "int32",
    "int64",
    "json-string",
    "password",
    "path",
];

/// What a format asks for.
pub(super) enum Format<'s> {
    /// The engine knows it.
    Known(&'s str),
    /// A text that matches this.
    Pattern(String),
}

/// A format; `None` where it says nothing about the text, or is not known and that is fine.
pub(super) fn read(value: &Value, lenient: bool) -> Result<Option<Format<'_>>, String> {
    let name = value.as_str().ok_or_else(|| format!("{} is no text", short(value)))?;
    if FORMATS.contains(&name) {
        return Ok(Some(Format::Known(name)));
    }
    if let Some((_, pattern)) = PATTERNS.iter().find(|(known, _)| *known == name) {
        return Ok(Some(Format::Pattern(patterns::translated(pattern)?)));
    }
    if SILENT.contains(&name) || lenient {
        return Ok(None);
    }
    let known: Vec<&str> = FORMATS.into_iter().chain(PATTERNS.map(|(name, _)| name)).collect();
    Err(format!("{name:?} cannot be held to; {} can", known.join(", ")))
}

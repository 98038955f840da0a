//! Formats of texts.

use serde_json::Value;

use super::{patterns, short};

/// Formats that the engine knows.
const FORMATS: [&str; 10] = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];
/// Formats that are patterns; also those of versions of UUIDs, `uuid1` to `uuid8`.
const PATTERNS: [(&str, &str); 5] = [
    ("base64", "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"),
    ("base64url", "^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?$"),
    ("e164", "^\\+[1-9][0-9]{6,14}$"),
    ("json-pointer", "^(?:/(?:[^~/]|~[01])*)*$"),
    ("relative-json-pointer", "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)$"),
];
/// The days of leap years, and of other months: the engine allows the 29th of February in all years.
const DAYS: &str = "(?:[0-9]{4}-(?:(?:0[13-9]|1[0-2])-[0-9]{2}|02-(?:[01][0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
/// What times begin with, and the second that is put in at midnight: the engine allows it in every minute.
const TIMES: &str = "(?:[0-9]{2}:[0-9]{2}:[0-5]|23:59:60(?:\\.[0-9]+)?(?:[zZ]|[+-]00:00)$)";
/// Formats of integers in so many bits, with or without a sign.
const INTEGERS: [(&str, f64, f64); 10] = [
    ("int", i64::MIN as f64, i64::MAX as f64),
    ("int8", i8::MIN as f64, i8::MAX as f64),
    ("int16", i16::MIN as f64, i16::MAX as f64),
    ("int32", i32::MIN as f64, i32::MAX as f64),
    ("int64", i64::MIN as f64, i64::MAX as f64),
    ("uint", 0.0, u64::MAX as f64),
    ("uint8", 0.0, u8::MAX as f64),
    ("uint16", 0.0, u16::MAX as f64),
    ("uint32", 0.0, u32::MAX as f64),
    ("uint64", 0.0, u64::MAX as f64),
];
/// Formats that say something to people and programs, but nothing about the text.
const SILENT: [&str; 12] = [
    "binary",
    "char",
    "commonmark",
    "decimal",
    "directory-path",
    "double",
    "file-path",
    "float",
    "html",
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
    /// The engine knows it, but for the texts that match this too.
    Narrower(&'s str, String),
    /// A number from one to another.
    Range(f64, f64),
}

/// A format; `None` where it says nothing about the text, or is not known and that is fine.
pub(super) fn read(value: &Value, lenient: bool) -> Result<Option<Format<'_>>, String> {
    let name = value.as_str().ok_or_else(|| format!("{} is no text", short(value)))?;
    let narrower = match name {
        "date" => Some(format!("^{DAYS}$")),
        "time" => Some(format!("^{TIMES}")),
        "date-time" => Some(format!("^{DAYS}[tT]{TIMES}")),
        _ => None,
    };
    if let Some(pattern) = narrower {
        return Ok(Some(Format::Narrower(name, patterns::translated(&pattern)?)));
    }
    if FORMATS.contains(&name) {
        return Ok(Some(Format::Known(name)));
    }
    if let Some((_, pattern)) = PATTERNS.iter().find(|(known, _)| *known == name) {
        return Ok(Some(Format::Pattern(patterns::translated(pattern)?)));
    }
    if let Some(version) = name.strip_prefix("uuid").filter(|version| matches!(version.as_bytes(), [b'1'..=b'8'])) {
        let digit = "[0-9a-fA-F]";
        let pattern = format!("^{digit}{{8}}-{digit}{{4}}-{version}{digit}{{3}}-[89abAB]{digit}{{3}}-{digit}{{12}}$");
        return Ok(Some(Format::Pattern(patterns::translated(&pattern)?)));
    }
    if let Some((_, least, most)) = INTEGERS.iter().find(|(known, ..)| *known == name) {
        return Ok(Some(Format::Range(*least, *most)));
    }
    if SILENT.contains(&name) || lenient {
        return Ok(None);
    }
    let known: Vec<&str> = FORMATS.into_iter().chain(PATTERNS.map(|(name, _)| name)).chain(INTEGERS.map(|(name, ..)| name)).collect();
    Err(format!("{name:?} cannot be held to; {} can", known.join(", ")))
}

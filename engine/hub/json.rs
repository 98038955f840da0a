//! Small JSON files of a checkpoint, with errors that say where.

use serde_json::Value;

use crate::{Error, Result};

/// Parses a configuration file; `place` names it in errors.
pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Value> {
    serde_json::from_slice(bytes).or_else(|error| {
        // Python writes and reads NaN and Infinity, which JSON does not know.
        without_infinities(bytes).and_then(|text| serde_json::from_slice(&text).ok()).ok_or_else(|| {
            let (line, column) = (error.line(), error.column());
            let what = error.to_string();
            let what = what.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&what);
            Error::config(format!("{place}: line {line} column {column}: {what}"))
        })
    })
}

/// The text with Python's `Infinity` as the largest number and `NaN` as null, or nothing when it holds neither.
fn without_infinities(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut in_string, mut changed) = (0, false, false);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let taken = match byte {
            b'\\' if in_string => rest.len().min(2),
            b'I' if !in_string && rest.starts_with(b"Infinity") => 8,
            b'N' if !in_string && rest.starts_with(b"NaN") => 3,
            _ => 1,
        };
        in_string ^= byte == b'"';
        match (taken, byte) {
            (8, _) => out.extend_from_slice(format!("{:e}", f64::MAX).as_bytes()),
            (3, _) => out.extend_from_slice(b"null"),
            _ => out.extend_from_slice(&rest[..taken]),
        }
        changed |= taken > 2;
        at += taken;
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_numbers() {
        let value = parse(br#"{"a": [0.0, Infinity, -Infinity, NaN], "b": "NaN \" Infinity"}"#, "x").unwrap();
        assert_eq!(value, serde_json::json!({"a": [0.0, f64::MAX, -f64::MAX, null], "b": "NaN \" Infinity"}));
    }

    #[test]
    fn errors_say_where() {
        let error = parse(b"{\n  \"a\": }", "a/b: config.json").unwrap_err();
        assert_eq!(error.to_string(), "a/b: config.json: line 2 column 8: expected value");
        assert!(parse(b"", "x").is_err());
        assert!(parse(b"{\"a\": NaN", "x").is_err());
        assert!(parse("[".repeat(10_000).as_bytes(), "x").is_err());
    }
}

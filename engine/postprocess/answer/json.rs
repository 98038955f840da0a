//! An answer that is nothing but calls, as JSON.

use serde_json::{Map, Value};

use super::{ToolCall, object};

/// Takes the calls out of a text.
pub(super) fn json(text: &str) -> (String, Vec<ToolCall>) {
    let kept = || (text.to_owned(), Vec::new());
    let (content, body) = match text.split_once("<|python_tag|>") {
        Some((before, body)) => (before, body.trim()),
        None => ("", text.trim()),
    };
    if let Some(call) = python(body) {
        return (content.to_owned(), vec![call]);
    }
    let mut calls = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { return kept() };
        let Some(call) = object(&value) else { return kept() };
        calls.push(call);
        rest = rest[values.byte_offset()..].trim_start_matches(|c: char| c == ';' || c == ',' || c.is_whitespace());
    }
    (content.to_owned(), calls)
}

/// `name.call(argument="value", …)`
fn python(body: &str) -> Option<ToolCall> {
    let (name, rest) = body.split_once(".call(")?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let mut rest = rest.trim_start();
    let mut arguments = Map::new();
    while !rest.starts_with(')') {
        let (argument, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        arguments.insert(argument.trim().to_owned(), values.next()?.ok()?);
        rest = after[values.byte_offset()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(ToolCall { id: None, name: name.to_owned(), arguments })
}

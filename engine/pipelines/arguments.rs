//! The first argument of a call, and the answers to it.

use serde_json::Value;

use crate::{Error, Result};

/// All answers, or the error of the first input that failed, with its index.
pub(crate) fn all(answers: Vec<Result<Value>>) -> Result<Vec<Value>> {
    answers.into_iter().enumerate().map(|(i, answer)| answer.map_err(|e| e.for_input(i))).collect()
}

/// The answer to a single input.
pub(crate) fn only(mut answers: Vec<Result<Value>>) -> Result<Value> {
    answers.pop().unwrap_or_else(|| Err(Error::request("inputs", "empty")))
}

/// A string.
pub(crate) fn string(input: &Value) -> Result<&str> {
    input.as_str().ok_or_else(|| Error::request("inputs", format!("expected a string, not {}", kind(input))))
}

/// A field of an input that must be a string.
pub(crate) fn string_field<'a>(input: &'a Value, field: &str) -> Result<&'a str> {
    let name = format!("inputs.{field}");
    match input.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Error::request(&name, format!("expected a string, not {}", kind(other)))),
        None => Err(Error::request(&name, "missing")),
    }
}

/// A field of an input that must be a list of strings.
#[cfg(feature = "text")]
pub(crate) fn strings_field(input: &Value, field: &str) -> Result<Vec<String>> {
    let name = format!("inputs.{field}");
    match input.get(field) {
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let text = item.as_str().map(String::from);
                text.ok_or_else(|| Error::request(&format!("{name}[{i}]"), format!("expected a string, not {}", kind(item))))
            })
            .collect(),
        Some(other) => Err(Error::request(&name, format!("expected a list of strings, not {}", kind(other)))),
        None => Err(Error::request(&name, "missing")),
    }
}

/// What a JSON value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

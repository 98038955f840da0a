//! `--param KEY=VALUE`.

use std::path::Path;

use anyhow::{Result, bail};
use formers::pipelines::Task;
use serde_json::{Map, Value};

use super::{bytes_of, folder::has_ending, unicode};
use crate::cli::failure::asked;

/// The parameters that arguments name.
pub(super) fn parameters(task: &Task, params: &[String]) -> Result<Map<String, Value>> {
    let mut parameters = Map::new();
    for param in params {
        let field = param.split_once('=').map(|(key, value)| (key.trim(), value));
        let Some((key, value)) = field.filter(|(key, _)| !key.is_empty()) else {
            bail!(asked(format!("--param {param}: expected key=value; {} has {}", task.id, task.parameters.join(", "))));
        };
        let value = match value.strip_prefix('@') {
            Some(file) => of_file(key, file)?,
            None => {
                let read = json_or_text(value.to_owned());
                if key != "regex" && read.is_string() && is_bracketed(value) {
                    tracing::warn!(
                        "--param {key}: {value} is taken as a text, since it is not valid JSON, where strings stand in \"quotes\""
                    );
                }
                read
            }
        };
        if parameters.insert(key.to_owned(), value).is_some() {
            bail!(asked(format!("--param {key}: given twice")));
        }
    }
    Ok(parameters)
}

/// That a file cannot be read, with the parameter it is for.
fn wrong_file(key: &str, error: anyhow::Error) -> anyhow::Error {
    // The file is named by the error itself.
    error.context(format!("--param {key}"))
}

/// What is no JSON is a string, so that quotes can be left out; but for the words that Python has for JSON's.
pub(in crate::cli) fn json_or_text(text: String) -> Value {
    match text.as_str() {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        "None" => Value::Null,
        _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// Whether a text was likely meant as a list or an object.
fn is_bracketed(text: &str) -> bool {
    let text = text.trim();
    [('[', ']'), ('{', '}')].iter().any(|(start, end)| text.starts_with(*start) && text.ends_with(*end))
}

/// What a file holds, by its ending: JSON, a text, or whichever it is.
fn of_file(key: &str, file: &str) -> Result<Value> {
    let wrong = |message: String| asked(format!("--param {key}: {file}: {message}"));
    let bytes = unicode::to_utf8(&bytes_of(file).map_err(|error| wrong_file(key, error))?);
    let text = String::from_utf8(bytes).map_err(|e| wrong(format!("byte {} is not UTF-8", e.utf8_error().valid_up_to())))?;
    if has_ending(Path::new(file), &["json"]) {
        return serde_json::from_str(&text).map_err(|error| wrong(format!("not valid JSON: {error}")));
    }
    let is_text = has_ending(Path::new(file), &["txt", "md"]);
    // The end that every editor gives to the last line is none of the text's.
    let text = without_last_end(text);
    Ok(if is_text { Value::String(text) } else { json_or_text(text) })
}

/// A text without the end of its last line.
pub(super) fn without_last_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

//! What a template sees of a chat: no missing values, and reasoning under all its names.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The names under which a message brings its reasoning, the standard one first.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Checks the messages, leaves out what is `null`, and copies reasoning to the names that templates read.
pub(super) fn prepare(messages: &[Value]) -> Result<Vec<Map<String, Value>>> {
    if messages.is_empty() {
        return Err(Error::request("messages", "an empty conversation; give at least one message"));
    }
    messages.iter().enumerate().map(|(index, message)| prepare_one(index, message)).collect()
}

fn prepare_one(index: usize, message: &Value) -> Result<Map<String, Value>> {
    let Value::Object(message) = message else {
        return Err(Error::request(&format!("messages[{index}]"), "not an object with a role and content"));
    };
    let mut message: Map<String, Value> =
        message.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())).collect();
    let Some(reasoning) = REASONING.iter().find_map(|name| message.get(*name)).cloned() else { return Ok(message) };
    if !message.contains_key("thinking") {
        message.shift_insert(0, "thinking".to_owned(), reasoning.clone());
    }
    message.insert("reasoning_content".to_owned(), reasoning);
    Ok(message)
}

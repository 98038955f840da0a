//! `continue_final_message`: the prompt ends inside the last message, so that the model goes on writing it.

use serde_json::{Map, Value};

use super::is_space;
use super::messages::REASONING;
use crate::{Error, Result};

/// Marks the place in the text where the message ends. Templates that trim take the space away.
const TAG: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

fn wrong(message: impl std::fmt::Display) -> Error {
    Error::request("continue_final_message", message)
}

/// Puts the mark behind a field of the last message. Returns the field's text before.
pub(super) fn mark(messages: &mut [Map<String, Value>], field: &str, template: &str) -> Result<String> {
    let Some(message) = messages.last_mut() else { return Err(wrong("the conversation is empty")) };
    let Some(value) = message.get(field).cloned() else {
        return Err(wrong(format!("the last message has no {field:?} to continue")));
    };
    let fields: Vec<&str> = if REASONING.contains(&field) {
        REASONING.into_iter().filter(|name| message.get(*name) == Some(&value)).collect()
    } else {
        vec![field]
    };
    if !fields.iter().any(|field| template.contains(field)) {
        return Err(wrong(format!("the chat template does not read {field:?}")));
    }
    match value {
        Value::String(text) => {
            for field in fields {
                message.insert(field.to_owned(), Value::String(text.clone() + TAG));
            }
            Ok(text)
        }
        Value::Array(_) => mark_part(message, field),
        _ => Err(wrong(format!("{field:?} of the last message is not text"))),
    }
}

fn mark_part(message: &mut Map<String, Value>, field: &str) -> Result<String> {
    let parts = message.get_mut(field).and_then(Value::as_array_mut);
    let part = parts.into_iter().flatten().rev().find_map(|part| part.get_mut("text"));
    match part {
        Some(Value::String(part)) => {
            let text = part.clone();
            part.push_str(TAG);
            Ok(text)
        }
        _ => Err(wrong("the last message has no text to continue")),
    }
}

/// Cuts a rendered chat at the mark.
pub(super) fn cut(mut rendered: String, text: &str) -> Result<String> {
    let bare = TAG.trim_end();
    let (true, Some(place)) = (rendered.contains(text.trim_matches(is_space)), rendered.rfind(bare)) else {
        return Err(wrong(format!("the chat template changes or leaves out the last message ({:?})", text.trim_matches(is_space))));
    };
    let keeps_spaces = rendered[place..].starts_with(TAG);
    rendered.truncate(place);
    if !keeps_spaces {
        rendered.truncate(rendered.trim_end_matches(is_space).len());
    }
    Ok(rendered)
}

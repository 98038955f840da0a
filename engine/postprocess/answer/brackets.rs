//! `[TOOL_CALLS]` before a list of calls, or before each.

use serde_json::Value;

use super::{ToolCall, first_json, object};

/// Takes the calls out of a text.
pub(super) fn brackets(text: &str) -> (String, Vec<ToolCall>) {
    let Some((content, mut rest)) = text.split_once("[TOOL_CALLS]") else { return (text.to_owned(), Vec::new()) };
    let mut calls = Vec::new();
    loop {
        let (body, next) = rest.split_once("[TOOL_CALLS]").map_or((rest, None), |(body, next)| (body, Some(next)));
        match bracketed(body.trim()) {
            Some(found) => calls.extend(found),
            None => return (text.to_owned(), Vec::new()),
        }
        match next {
            Some(next) => rest = next,
            None => return (content.to_owned(), calls),
        }
    }
}

/// A list of calls, or one call as its name and its arguments.
fn bracketed(body: &str) -> Option<Vec<ToolCall>> {
    if body.starts_with(['[', '{']) {
        // A model may go on after the list.
        let value: Value = first_json(body)?;
        return match &value {
            Value::Array(calls) => calls.iter().map(object).collect(),
            call => object(call).map(|call| vec![call]),
        };
    }
    let (head, arguments) = body.split_at(body.find('{')?);
    let head = head.trim().trim_end_matches("[ARGS]");
    let (name, id) = head.split_once("[CALL_ID]").map_or((head, None), |(name, id)| (name, Some(id.to_owned())));
    let arguments = first_json(arguments)?;
    Some(vec![ToolCall { id, name: name.trim().to_owned(), arguments }])
}

//! Calls as JSON objects: `{"name": …, "arguments": {…}}`.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    literal::literal,
};

/// The call that an object is, by the names that families have for its fields, and with arguments that may be JSON inside a string.
pub(in crate::postprocess::answer) fn call_in(value: &Value) -> Option<ToolCall> {
    // Some write `{"type": "function", "function": {…}}`.
    let value = value.get("function").filter(|function| function.is_object()).unwrap_or(value);
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| value.get(name));
    let name = field(["name", "tool_name"])?.as_str().filter(|name| !name.is_empty())?.to_owned();
    let arguments = match field(["arguments", "parameters"]) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(Value::String(text)) if text.trim().is_empty() => Map::new(),
        Some(Value::String(text)) => match literal(text)? {
            Value::Object(arguments) => arguments,
            _ => return None,
        },
        Some(_) => return None,
    };
    let id = field(["id", "tool_call_id"]).and_then(Value::as_str).map(str::to_owned);
    Some(ToolCall { id, name, arguments })
}

/// One call.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    call_in(&Value::Object(cursor.object()?)).ok_or(Stop::No)
}

/// A list of calls, or one call.
pub(in crate::postprocess::answer) fn calls(cursor: &mut Cursor<'_>) -> Step<Vec<ToolCall>> {
    cursor.space();
    match cursor.peek()? {
        '{' => Ok(vec![call(cursor)?]),
        '[' => cursor.list('[', ']', call),
        _ => Err(Stop::No),
    }
}

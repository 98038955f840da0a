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

/// Lists of calls, or calls, up to a mark behind all, which may be forgotten.
pub(in crate::postprocess::answer) fn closed(cursor: &mut Cursor<'_>, close: &str) -> Step<Vec<ToolCall>> {
    let mut all = calls(cursor)?;
    while !cursor.takes_behind_space(close)? {
        let mut behind = cursor.clone();
        behind.space();
        while !behind.is_over()? && [',', ';'].contains(&behind.peek()?) {
            behind.next()?;
            behind.space();
        }
        if behind.is_over()? || !['[', '{'].contains(&behind.peek()?) {
            break;
        }
        let Some(more) = behind.maybe(calls)? else { break };
        all.extend(more);
        *cursor = behind;
    }
    if all.is_empty() { Err(Stop::No) } else { Ok(all) }
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

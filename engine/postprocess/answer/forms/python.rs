//! Calls as Python writes them: `name(argument="value", …)`.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
};

/// One call.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    let arguments = arguments(cursor)?;
    Ok(ToolCall { id: None, name, arguments })
}

/// `(argument="value", …)`
pub(in crate::postprocess::answer) fn arguments(cursor: &mut Cursor<'_>) -> Step<Map<String, Value>> {
    let before = std::mem::replace(&mut cursor.is_python, true);
    let arguments = cursor.list('(', ')', |rest| {
        let key = rest.word(|c| c.is_alphanumeric() || "_-.".contains(c))?.to_owned();
        rest.space();
        rest.takes_character('=')?;
        Ok((key, rest.value()?))
    });
    cursor.is_python = before;
    Ok(Map::from_iter(arguments?))
}

/// `[name(…), …]`
pub(in crate::postprocess::answer) fn list(cursor: &mut Cursor<'_>) -> Step<Vec<ToolCall>> {
    cursor.list('[', ']', call)
}

/// Calls with lines' ends, commas or nothing between them, up to a mark behind all, which may be forgotten.
pub(in crate::postprocess::answer) fn lines(cursor: &mut Cursor<'_>, close: &str) -> Step<Vec<ToolCall>> {
    let mut all = Vec::new();
    while !cursor.takes_behind_space(close)? {
        cursor.space();
        if cursor.is_over()? {
            break;
        }
        if cursor.peek()? == '[' {
            all.extend(list(cursor)?);
        } else {
            all.push(call(cursor)?);
        }
        for separator in [",", ";"] {
            let _ = cursor.takes_behind_space(separator)?;
        }
    }
    if all.is_empty() { Err(Stop::No) } else { Ok(all) }
}

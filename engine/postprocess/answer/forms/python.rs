//! Calls as Python writes them: `name(argument="value", …)`.

use serde_json::Map;

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
};

/// One call.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    let arguments = arguments(cursor)?;
    Ok(ToolCall { id: None, name, arguments })
}

/// `(argument="value", …)`
pub(in crate::postprocess::answer) fn arguments(cursor: &mut Cursor<'_>) -> Step<Map<String, serde_json::Value>> {
    let arguments = cursor.list('(', ')', |rest| {
        let key = rest.word(|c| c.is_alphanumeric() || "_-.".contains(c))?.to_owned();
        rest.space();
        rest.takes_character('=')?;
        Ok((key, rest.value()?))
    })?;
    Ok(Map::from_iter(arguments))
}

/// `[name(…), …]`
pub(in crate::postprocess::answer) fn list(cursor: &mut Cursor<'_>) -> Step<Vec<ToolCall>> {
    cursor.list('[', ']', call)
}

//! `[TOOL_CALLS]` before a list of `{"name", "arguments", "id"}`, or before each `name{…}`, `name[ARGS]{…}`, `name[CALL_ID]id[ARGS]{…}`:
//! Mistral.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Reasoning, Scene, THINK},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "mistral",
    templates: &[&["[TOOL_CALLS]"]],
    reasoning: &[Reasoning::first("[THINK]", "[/THINK]"), THINK],
    marks: &[Mark::anywhere("[TOOL_CALLS]", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    if ['[', '{'].contains(&cursor.peek()?) {
        return json::calls(cursor).map(Found::Calls);
    }
    let name = cursor.name()?.to_owned();
    let id = if cursor.takes("[CALL_ID]")? { Some(cursor.name()?.to_owned()) } else { None };
    let _ = cursor.takes("[ARGS]")?;
    let arguments = cursor.object()?;
    if name.is_empty() { Err(Stop::No) } else { Ok(Found::Calls(vec![ToolCall { id, name, arguments }])) }
}

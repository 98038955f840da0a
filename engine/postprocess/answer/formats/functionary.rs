//! `>>>` and whom a part of the answer goes to: `all`, or a tool with its arguments in the next line: Functionary 3.2.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene},
    formats::functionary_tags::code,
};

pub(super) const FORMAT: Format = Format {
    name: "functionary-v3.2",
    templates: &[&[">>>all"]],
    marks: &[Mark::anywhere(">>>", recipient)],
    begins_in_prompt: Some(">>>"),
    ..Format::NONE
};

fn recipient(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let name = cursor.name()?.to_owned();
    cursor.expect("\n")?;
    if name == "all" {
        return Ok(Found::Nothing);
    }
    if name == "python" && cursor.peek()? != '{' {
        return code(cursor, scene);
    }
    let call = ToolCall { id: None, name, arguments: cursor.object()? };
    if scene.is_call(&call) { Ok(Found::Calls(vec![call])) } else { Err(Stop::No) }
}

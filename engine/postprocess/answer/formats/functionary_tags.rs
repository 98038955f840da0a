//! `<function=name>{…}</function>`, and code behind `<|python_tag|>`: Functionary 3.1.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
};

pub(super) const FORMAT: Format = Format {
    name: "functionary-v3.1",
    templates: &[&["<|start_header_id|>", "<function="]],
    marks: &[Mark::anywhere("<function=", function), Mark::anywhere("<|python_tag|>", code)],
    ..Format::NONE
};

fn function(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let name = cursor.name()?.to_owned();
    cursor.expect(">")?;
    let arguments = cursor.object()?;
    let _ = cursor.takes_behind_space("</function>")?;
    Ok(Found::Calls(vec![ToolCall { id: None, name, arguments }]))
}

/// Code goes to the tool `python` as it is, up to the answer's end.
pub(super) fn code(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let code = cursor.word(|_| true)?;
    let arguments = Map::from_iter([("code".to_owned(), Value::from(code))]);
    Ok(Found::Calls(vec![ToolCall { id: None, name: "python".to_owned(), arguments }]))
}

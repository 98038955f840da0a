//! `<dots_function_call>` around `<invoke name="…">` and `<parameter name="…">`, or around JSON: dots.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::{json, xml},
};

pub(super) const FORMAT: Format = Format {
    name: "dots",
    templates: &[&["<dots_function_call>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<dots_function_call>", calls)],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<invoke name=", ">", "</invoke>"),
    parameter: ("<parameter name=", ">", "</parameter>"),
    close: "</dots_function_call>",
};

fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    cursor.space();
    let calls = if cursor.peek()? == '{' { json::closed(cursor, MARKS.close)? } else { xml::calls(cursor, &MARKS, scene.tools)? };
    Ok(Found::Calls(calls))
}

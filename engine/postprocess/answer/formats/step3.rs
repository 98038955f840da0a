//! Sections as DeepSeek has them, around `<steptml:invoke name="…">`.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::xml,
};

pub(super) const FORMAT: Format = Format {
    name: "step3",
    templates: &[&["<｜tool_calls_begin｜>"], &["<steptml:invoke"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<｜tool_calls_begin｜>", read)],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<steptml:invoke name=", ">", "</steptml:invoke>"),
    parameter: ("<steptml:parameter name=", ">", "</steptml:parameter>"),
    close: "<｜tool_call_end｜>",
};

fn read(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut calls = Vec::new();
    while cursor.takes_behind_space("<｜tool_call_begin｜>")? {
        cursor.space();
        cursor.expect("function")?;
        cursor.expect("<｜tool_sep｜>")?;
        calls.push(xml::call(cursor, &MARKS, scene.tools)?);
        let _ = cursor.takes_behind_space(MARKS.close)?;
    }
    let _ = cursor.takes_behind_space("<｜tool_calls_end｜>")?;
    Ok(Found::Calls(calls))
}

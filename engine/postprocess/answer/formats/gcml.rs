//! `<｜GCML｜tool_calls>` around `<｜GCML｜invoke name="…">`: GigaChat 3.5.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::xml,
};

pub(super) const FORMAT: Format = Format {
    name: "gigachat-gcml",
    templates: &[&["｜GCML｜"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<｜GCML｜tool_calls>", calls)],
    silent: &["<|message_sep|>"],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<｜GCML｜invoke name=", ">", "</｜GCML｜invoke>"),
    parameter: ("<｜GCML｜parameter name=", ">", "</｜GCML｜parameter>"),
    close: "</｜GCML｜tool_calls>",
};

fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    xml::calls(cursor, &MARKS, scene.tools).map(Found::Calls)
}

//! `<｜DSML｜function_calls>` around `<｜DSML｜invoke name="…">`, with parameters that say whether they are texts: DeepSeek V3.2 and V4.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::xml,
};

pub(super) const FORMAT: Format = Format {
    name: "deepseek-dsml",
    templates: &[&["｜DSML｜"]],
    reasoning: &[THINK],
    marks: &[
        Mark::anywhere("<｜DSML｜function_calls>", calls),
        Mark::anywhere("<｜DSML｜tool_calls>", calls_of_v4),
        Mark::anywhere("<｜DSML｜ calls>", calls_of_v41),
    ],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<｜DSML｜invoke name=", ">", "</｜DSML｜invoke>"),
    parameter: ("<｜DSML｜parameter name=", ">", "</｜DSML｜parameter>"),
    close: "</｜DSML｜function_calls>",
};

fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    xml::calls(cursor, &MARKS, scene.tools).map(Found::Calls)
}

fn calls_of_v4(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let marks = xml::Marks { close: "</｜DSML｜tool_calls>", ..MARKS };
    xml::calls(cursor, &marks, scene.tools).map(Found::Calls)
}

/// V4.1 has a space behind the mark.
fn calls_of_v41(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let marks = xml::Marks {
        function: ("<｜DSML｜ invoke name=", ">", "</｜DSML｜ invoke>"),
        parameter: ("<｜DSML｜ parameter name=", ">", "</｜DSML｜ parameter>"),
        close: "</｜DSML｜ calls>",
    };
    xml::calls(cursor, &marks, scene.tools).map(Found::Calls)
}

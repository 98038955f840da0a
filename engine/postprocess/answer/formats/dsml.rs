//! `<｜DSML｜function_calls>` around `<｜DSML｜invoke name="…">`, with parameters that say whether they are texts: DeepSeek V3.2 and V4.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::xml,
    literal::literal,
    tools::Tools,
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
    read(cursor, scene, &MARKS)
}

fn calls_of_v4(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let marks = xml::Marks { close: "</｜DSML｜tool_calls>", ..MARKS };
    read(cursor, scene, &marks)
}

/// V4.1 has a space behind the mark.
fn calls_of_v41(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let marks = xml::Marks {
        function: ("<｜DSML｜ invoke name=", ">", "</｜DSML｜ invoke>"),
        parameter: ("<｜DSML｜ parameter name=", ">", "</｜DSML｜ parameter>"),
        close: "</｜DSML｜ calls>",
    };
    read(cursor, scene, &marks)
}

fn read(cursor: &mut Cursor<'_>, scene: &Scene<'_>, marks: &xml::Marks) -> Step<Found> {
    let mut calls = xml::calls(cursor, marks, scene.tools)?;
    for call in &mut calls {
        unwrap(call, scene.tools);
    }
    Ok(Found::Calls(calls))
}

/// Some models put all arguments into one that the tool does not have.
fn unwrap(call: &mut ToolCall, tools: &Tools) {
    let mut all = call.arguments.iter();
    let (Some((key, value)), None) = (all.next(), all.next()) else { return };
    if !["arguments", "input"].contains(&key.as_str()) || tools.takes(&call.name, key) {
        return;
    }
    let read = value.as_str().and_then(literal);
    let inner = read.as_ref().unwrap_or(value).as_object();
    if let Some(inner) = inner.filter(|inner| inner.keys().all(|key| tools.takes(&call.name, key))) {
        call.arguments = inner.clone();
    }
}

//! `<longcat_tool_call>` around `{"name", "arguments"}`: LongCat.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Reasoning, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "longcat",
    templates: &[&["<longcat_tool_call>"]],
    reasoning: &[Reasoning::first("<longcat_think>", "</longcat_think>")],
    marks: &[Mark::anywhere("<longcat_tool_call>", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    json::closed(cursor, "</longcat_tool_call>").map(Found::Calls)
}

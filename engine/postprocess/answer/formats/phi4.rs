//! A list of calls between `<|tool_call|>` and `<|/tool_call|>`: Phi 4 mini.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "phi4",
    templates: &[&["<|/tool_call|>"], &["<|tool|>", "<|/tool|>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<|tool_call|>", calls), Mark::anywhere("functools[", super::functools::calls)],
    ..Format::NONE
};

pub(super) fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("<|/tool_call|>")?;
    Ok(Found::Calls(calls))
}

//! A list of calls between `<|START_ACTION|>` and `<|END_ACTION|>`, reasoning and answer between marks of their own: Command A and R7B.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Reasoning, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "command-a",
    templates: &[&["<|START_ACTION|>"]],
    reasoning: &[Reasoning::first("<|START_THINKING|>", "<|END_THINKING|>")],
    marks: &[Mark::anywhere("<|START_ACTION|>", calls)],
    silent: &["<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let mut calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("<|END_ACTION|>")?;
    calls.retain(|call| !super::command_r::calls_nothing(call));
    Ok(Found::Calls(calls))
}

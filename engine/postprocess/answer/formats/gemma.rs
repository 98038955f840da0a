//! `<|tool_call>call:name{key:value}<tool_call|>` with marks of its own around texts, and reasoning in a channel: Gemma 4.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Place, Reasoning, Scene},
    forms::bare,
};

pub(super) const FORMAT: Format = Format {
    name: "gemma",
    templates: &[&["<|tool_call>"]],
    reasoning: &[Reasoning { open: "<|channel>thought", close: "<channel|>", place: Place::Anywhere }],
    marks: &[Mark::anywhere("<|tool_call>", call)],
    // What closes no channel.
    silent: &["<channel|>"],
    ..Format::NONE
};

fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    bare::call(cursor, "<|\"|>", "<tool_call|>").map(|call| Found::Calls(vec![call]))
}

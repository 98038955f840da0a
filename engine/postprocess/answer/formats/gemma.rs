//! `<|tool_call>call:name{key:value}<tool_call|>` with marks of its own around texts, and reasoning in a channel: Gemma 4.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Place, Reasoning, Scene},
    forms::bare,
};

pub(super) const FORMAT: Format = Format {
    name: "gemma",
    templates: &[&["<|tool_call>"]],
    reasoning: &[Reasoning { open: "<|channel>thought", close: "<channel|>", place: Place::Anywhere }],
    marks: &[Mark::anywhere("<|tool_call>", call), Mark::at_line("call:", bare_call)],
    // What closes no channel, and what opens none.
    silent: &["<channel|>", "<|channel>"],
    ..Format::NONE
};

const QUOTE: &str = "<|\"|>";
const CLOSE: &str = "<tool_call|>";

fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    bare::call(cursor, QUOTE, CLOSE).map(|call| Found::Calls(vec![call]))
}

/// A call whose mark was forgotten: of a tool that was given.
fn bare_call(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut named = cursor.clone();
    if !scene.tools.has(named.name()?) || !named.comes("{")? && !named.comes("(")? {
        return Err(Stop::No);
    }
    bare::named_call(cursor, QUOTE, CLOSE).map(|call| Found::Calls(vec![call]))
}

//! `[name(argument="value"), …]` as in Python, between marks: LFM2.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
    forms::{json, python},
};

pub(super) const FORMAT: Format = Format {
    name: "lfm2",
    // Some templates write only the tools, those of LFM2.5 without marks around them.
    templates: &[&["<|tool_call_start|>"], &["<|tool_list_start|>"], &["List of tools: [", "keep_past_thinking"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<|tool_call_start|>", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    // A model that is asked to writes JSON instead.
    let calls = match cursor.maybe(python::list)? {
        Some(calls) => calls,
        None => json::calls(cursor)?,
    };
    cursor.space();
    // The mark may be the token that ended the answer.
    let is_closed = cursor.is_over()? || cursor.takes("<|tool_call_end|>")?;
    if is_closed { Ok(Found::Calls(calls)) } else { Err(Stop::No) }
}

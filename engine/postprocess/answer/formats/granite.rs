//! A list of calls behind `<|tool_call|>`, and reasoning and answer with words before them: Granite 3.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Reasoning, Scene, THINK},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "granite",
    templates: &[&["<|tool_call|>"]],
    reasoning: &[
        Reasoning::first("Here is my thought process:", "Here is my response:"),
        Reasoning::first("Here's my thought process:", "Here's my response:"),
        THINK,
    ],
    // Granite 3.1 writes the mark in letters.
    marks: &[Mark::anywhere("<|tool_call|>", calls), Mark::anywhere("<tool_call>", calls)],
    silent: &["<response>", "</response>"],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("</tool_call>")?;
    Ok(Found::Calls(calls))
}

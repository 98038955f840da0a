//! `Action: ` and a list of calls in a fence: Command R.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "command-r",
    templates: &[&["Action: ```json"], &["Action:```json"], &["Action:", "```json", "<|CHATBOT_TOKEN|>"]],
    marks: &[Mark::at_line("Action:", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    cursor.expect("```json")?;
    let mut calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("```")?;
    calls.retain(|call| !calls_nothing(call));
    Ok(Found::Calls(calls))
}

/// What is called where nothing is.
pub(super) fn calls_nothing(call: &ToolCall) -> bool {
    ["directly_answer", "directly-answer"].contains(&call.name.as_str())
}

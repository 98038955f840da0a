//! Calls in a fence of Python between `<|tool_call_start|>` and `<|tool_call_end|>`: MiniCPM 3.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Reasoning, Scene},
    forms::python,
};

pub(super) const FORMAT: Format = Format {
    name: "minicpm3",
    templates: &[&["<|tool_call_start|>", "```python"]],
    reasoning: &[Reasoning::first("<|thought_start|>", "<|thought_end|>")],
    marks: &[Mark::anywhere("<|tool_call_start|>", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let is_fenced = cursor.takes_behind_space("```python")?;
    let calls = python::lines(cursor, if is_fenced { "```" } else { "<|tool_call_end|>" })?;
    let _ = cursor.takes_behind_space("<|tool_call_end|>")?;
    Ok(Found::Calls(calls))
}

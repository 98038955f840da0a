//! Turns of the assistant's whose headers say what they are: `assistant/think`, `assistant -> tool/function_call`.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Kind, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "hyperclovax",
    templates: &[&["-> tool/function_call"]],
    marks: &[Mark::anywhere("<|im_start|>assistant", header), Mark::anywhere("<|im_end|>", end)],
    silent: &["<|stop|>", "<|endofturn|>"],
    begins_in_prompt: Some("<|im_start|>assistant"),
    ..Format::NONE
};

fn header(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    if cursor.takes(" -> tool/function_call")? {
        return json::calls(cursor).map(Found::Calls);
    }
    if cursor.takes("/think")? {
        return Ok(Found::Text(Kind::Reasoning, &["<|im_end|>"]));
    }
    Ok(Found::Nothing)
}

/// The end of a turn, with what stands between it and the next.
fn end(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    if cursor.is_over()? || cursor.comes("<|")? { Ok(Found::Nothing) } else { Err(Stop::No) }
}

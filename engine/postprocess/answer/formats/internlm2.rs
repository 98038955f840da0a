//! `<|action_start|><|plugin|>` before `{"name", "parameters"}`: InternLM 2.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format =
    Format { name: "internlm2", templates: &[&["<|plugin|>"]], marks: &[Mark::anywhere("<|action_start|>", call)], ..Format::NONE };

fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    // What goes to the interpreter of code is no call of a tool.
    cursor.expect("<|plugin|>")?;
    json::closed(cursor, "<|action_end|>").map(Found::Calls)
}

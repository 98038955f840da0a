//! A list of calls, or calls one after the other, between `<tool_calls>` and `</tool_calls>`: Jamba, MiniMax M1.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "jamba",
    templates: &[&["<tool_calls>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<tool_calls>", calls)],
    ..Format::NONE
};

pub(super) fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    json::closed(cursor, "</tool_calls>").map(Found::Calls)
}

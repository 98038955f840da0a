//! `<function_call>` before `{"name", "arguments"}`: Granite 20B for calls.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "granite-functions",
    templates: &[&["<function_call>"]],
    marks: &[Mark::anywhere("<function_call>", calls)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    json::closed(cursor, "</function_call>").map(Found::Calls)
}

//! `functools[…]`, a list of calls: Firefunction, and Phi 4 mini with the chat template that vLLM has for it.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    formats::{llama3, phi4},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "functools",
    templates: &[&["functools["]],
    marks: &[
        Mark::anywhere("functools[", calls),
        Mark::anywhere("<|tool_call|>", phi4::calls),
        // How the template of vLLM shows the model what it called before.
        Mark::at_start("{", llama3::plain),
    ],
    ..Format::NONE
};

/// The mark has the list's bracket in it.
pub(super) fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.back_to(cursor.at().saturating_sub(1));
    cursor.list('[', ']', json::call).map(Found::Calls)
}

//! `functools[…]`, a list of calls: Firefunction, and Phi 4 mini with the chat template that vLLM has for it.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "functools",
    templates: &[&["functools["]],
    marks: &[Mark::anywhere("functools[", calls), Mark::anywhere("<|tool_call|>", super::phi4::calls)],
    ..Format::NONE
};

/// The mark has the list's bracket in it.
pub(super) fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.back_to(cursor.at().saturating_sub(1));
    cursor.list('[', ']', json::call).map(Found::Calls)
}

//! `<start_function_call>call:name{key:value}<end_function_call>` with marks of its own around texts: FunctionGemma.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::bare,
};

pub(super) const FORMAT: Format = Format {
    name: "function-gemma",
    templates: &[&["<start_function_call>"]],
    marks: &[Mark::anywhere("<start_function_call>", call)],
    ..Format::NONE
};

fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    bare::call(cursor, "<escape>", "<end_function_call>").map(|call| Found::Calls(vec![call]))
}

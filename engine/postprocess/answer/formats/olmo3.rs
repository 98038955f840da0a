//! Calls as Python writes them, each in its line: `<function_calls>name(argument="value")</function_calls>`.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::python,
};

pub(super) const FORMAT: Format = Format {
    name: "olmo3",
    templates: &[&["<function_calls>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<function_calls>", read)],
    ..Format::NONE
};

fn read(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    python::lines(cursor, "</function_calls>").map(Found::Calls)
}

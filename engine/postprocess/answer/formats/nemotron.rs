//! A list of calls between `<TOOLCALL>` and `</TOOLCALL>`, or calls between `<toolcall>` and `</toolcall>`: Nemotron Nano 2 and before.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "nemotron",
    templates: &[&["<TOOLCALL>"], &["<toolcall>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<TOOLCALL>", calls), Mark::anywhere("<toolcall>", calls_of_mini)],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    json::closed(cursor, "</TOOLCALL>").map(Found::Calls)
}

fn calls_of_mini(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    json::closed(cursor, "</toolcall>").map(Found::Calls)
}

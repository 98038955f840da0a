//! `<seed:tool_call>` around `<function=name>` and its parameters.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Reasoning, Scene},
    forms::xml,
};

pub(super) const FORMAT: Format = Format {
    name: "seed-oss",
    templates: &[&["<seed:tool_call>"]],
    reasoning: &[Reasoning::first("<seed:think>", "</seed:think>")],
    marks: &[Mark::anywhere("<seed:tool_call>", section), Mark::anywhere("<function=", forgotten)],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<function=", ">", "</function>"),
    parameter: ("<parameter=", ">", "</parameter>"),
    close: "</seed:tool_call>",
};

fn section(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    xml::calls(cursor, &MARKS, scene.tools).map(Found::Calls)
}

/// The mark around the call was forgotten.
fn forgotten(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let call = xml::named_call(cursor, &MARKS, scene.tools)?;
    let _ = cursor.takes_behind_space(MARKS.close)?;
    if scene.is_call(&call) { Ok(Found::Calls(vec![call])) } else { Err(Stop::No) }
}

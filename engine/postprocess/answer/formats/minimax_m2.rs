//! `<minimax:tool_call>` around `<invoke name="…">` and `<parameter name="…">`: MiniMax M2.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
    forms::xml,
};

pub(super) const FORMAT: Format = Format {
    name: "minimax-m2",
    templates: &[&["<minimax:tool_call>"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<minimax:tool_call>", calls)],
    ..Format::NONE
};

const MARKS: xml::Marks = xml::Marks {
    function: ("<invoke name=", ">", "</invoke>"),
    parameter: ("<parameter name=", ">", "</parameter>"),
    close: "</minimax:tool_call>",
};

fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    xml::calls(cursor, &MARKS, scene.tools).map(Found::Calls)
}

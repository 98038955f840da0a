//! The whole answer is a JSON list of calls, with a fence or without: xLAM, and others whose templates write calls without marks.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
    formats::llama3,
    forms::{alone, json},
};

pub(super) const FORMAT: Format = Format {
    name: "xlam",
    templates: &[&["tools", "\"arguments\""], &["tools", "tool_calls"]],
    reasoning: &[THINK],
    marks: &[Mark::at_start("[", alone::list), Mark::at_start("{", llama3::plain), Mark::at_start("```json", fenced)],
    ..Format::NONE
};

fn fenced(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    if scene.tools.is_empty() || !scene.is_free {
        return Err(Stop::No);
    }
    let calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("```")?;
    alone::whole(cursor, scene, calls)
}

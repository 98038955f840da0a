//! The whole answer is `[name(argument="value"), …]` or `{"name", "parameters"}`, or such a list stands between marks: Llama 4.

use crate::postprocess::answer::{
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Kind, Mark, Scene},
    formats::llama3,
    forms::{alone, python},
};

pub(super) const FORMAT: Format = Format {
    name: "llama4",
    templates: &[&["<|python_start|>", "<|header_start|>"], &["<|python_start|>", "tools"], &["<|header_start|>", "tools"]],
    marks: &[
        Mark::anywhere("<|python_start|>", marked),
        Mark::anywhere("<|python_end|>", behind),
        Mark::at_start("{", llama3::plain),
        Mark::at_start("[", alone::list),
    ],
    ..Format::NONE
};

/// Calls, or what the model says before calls without marks.
fn marked(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let Some(calls) = cursor.maybe(python::list)? else { return Ok(Found::Text(Kind::Content, &["<|python_end|>"])) };
    let _ = cursor.takes_behind_space("<|python_end|>")?;
    if calls.is_empty() { Err(Stop::No) } else { Ok(Found::Calls(calls)) }
}

/// Calls behind the mark that the text before them ends with.
fn behind(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let found = cursor.maybe(|rest| {
        let calls = llama3::objects(rest)?;
        alone::whole(rest, scene, calls)
    })?;
    Ok(found.unwrap_or(Found::Nothing))
}

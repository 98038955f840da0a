//! `<｜tool▁calls▁begin｜>` around calls, `name<｜tool▁sep｜>{…}` or older `function<｜tool▁sep｜>name`, a line's end and arguments in a
//! fence: DeepSeek.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
};

pub(super) const FORMAT: Format = Format {
    name: "deepseek",
    templates: &[&["<｜tool▁calls▁begin｜>"]],
    reasoning: &[THINK],
    // Some models forget the mark before all calls.
    marks: &[Mark::anywhere("<｜tool▁calls▁begin｜>", section), Mark::anywhere("<｜tool▁call▁begin｜>", first)],
    ..Format::NONE
};

fn section(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    cursor.expect("<｜tool▁call▁begin｜>")?;
    calls(cursor)
}

fn first(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    calls(cursor)
}

/// The calls from the name of the first on, with the mark behind all.
fn calls(cursor: &mut Cursor<'_>) -> Step<Found> {
    let mut calls = vec![call(cursor)?];
    while cursor.takes_behind_space("<｜tool▁call▁begin｜>")? {
        calls.push(call(cursor)?);
    }
    let _ = cursor.takes_behind_space("<｜tool▁calls▁end｜>")?;
    Ok(Found::Calls(calls))
}

fn call(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    let before = cursor.word(|c| c != '<')?.trim();
    cursor.expect("<｜tool▁sep｜>")?;
    cursor.space();
    let is_fenced = !cursor.comes("{")?;
    let name = if is_fenced { cursor.name()? } else { before }.to_owned();
    cursor.space();
    if is_fenced {
        cursor.expect("```json")?;
    }
    let arguments = cursor.object()?;
    if is_fenced {
        let _ = cursor.takes_behind_space("```")?;
    }
    let _ = cursor.takes_behind_space("<｜tool▁call▁end｜>")?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    if is_name { Ok(ToolCall { id: None, name, arguments }) } else { Err(Stop::No) }
}

//! `<tool_call>` around `{"name", "arguments"}`, around `<function=name>` and `<parameter=name>`, or around a name and pairs of `<arg_key>`
//! and `<arg_value>`: Hermes, Qwen, GLM and many others.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
    formats::llama3,
    forms::{json, pairs, xml},
};

pub(super) const FORMAT: Format = Format {
    name: "hermes",
    templates: &[&["<tool_call>"]],
    reasoning: &[THINK],
    marks: &[
        Mark::anywhere(OPEN, call),
        Mark::at_line("<function=", bare_function),
        // Qwen 2.5 Coder and others forget the marks.
        Mark::at_line("{", llama3::plain),
    ],
    ..Format::NONE
};

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

const TAGS: xml::Marks =
    xml::Marks { function: ("<function=", ">", "</function>"), parameter: ("<parameter=", ">", "</parameter>"), close: CLOSE };

const PAIRS: pairs::Marks =
    pairs::Marks { open: OPEN, key: ("<arg_key>", "</arg_key>"), value: ("<arg_value>", "</arg_value>"), close: CLOSE };

/// What `<tool_call>` begins. The mark behind it may be forgotten.
fn call(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    calls(cursor, scene).map(Found::Calls)
}

/// The calls behind the mark.
pub(super) fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Vec<ToolCall>> {
    cursor.space();
    let mut calls = Vec::new();
    match cursor.peek()? {
        '{' | '[' => {
            calls.extend(json::calls(cursor)?);
            more_objects(cursor, &mut calls)?;
        }
        '<' => {
            calls.push(xml::call(cursor, &TAGS, scene.tools)?);
            more_functions(cursor, scene, &mut calls)?;
        }
        _ => calls.push(pairs::call(cursor, &PAIRS, scene.tools)?),
    }
    let _ = cursor.takes_behind_space(CLOSE)?;
    if calls.is_empty() { Err(Stop::No) } else { Ok(calls) }
}

/// A call whose `<tool_call>` was forgotten: of a tool that was given.
fn bare_function(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut named = cursor.clone();
    let name = named.name()?;
    if !scene.tools.has(name) || !named.comes(">")? {
        return Err(Stop::No);
    }
    let mut calls = vec![xml::named_call(cursor, &TAGS, scene.tools)?];
    more_functions(cursor, scene, &mut calls)?;
    let _ = cursor.takes_behind_space(CLOSE)?;
    Ok(Found::Calls(calls))
}

/// The objects that follow one in the same mark, with a comma between them or none, and closing brackets that are too many.
fn more_objects(cursor: &mut Cursor<'_>, calls: &mut Vec<ToolCall>) -> Step<()> {
    loop {
        let mut behind = cursor.clone();
        behind.space();
        if behind.takes_behind_space(",")? || behind.takes_behind_space(";")? {
            behind.space();
        }
        if behind.is_over()? || behind.peek()? != '{' {
            break;
        }
        match behind.maybe(json::call)? {
            Some(call) => calls.push(call),
            None => break,
        }
        *cursor = behind;
    }
    let mut behind = cursor.clone();
    while behind.takes_behind_space("}")? {}
    behind.space();
    if behind.comes(CLOSE)? {
        *cursor = behind;
    }
    Ok(())
}

/// The functions that follow one in the same mark.
fn more_functions(cursor: &mut Cursor<'_>, scene: &Scene<'_>, calls: &mut Vec<ToolCall>) -> Step<()> {
    loop {
        let mut behind = cursor.clone();
        behind.space();
        if !behind.comes(TAGS.function.0)? {
            return Ok(());
        }
        calls.push(xml::call(cursor, &TAGS, scene.tools)?);
    }
}

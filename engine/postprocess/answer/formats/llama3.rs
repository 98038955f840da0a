//! An answer is `{"name", "parameters"}`, or `<|python_tag|>` stands before such objects or before `name.call(argument="value")`:
//! Llama 3.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene},
    forms::{alone, json, python},
};

pub(super) const FORMAT: Format = Format {
    name: "llama3",
    templates: &[&["<|python_tag|>"], &["<|start_header_id|>", "\"parameters\""], &["<|start_header_id|>", "tools"]],
    // Llama 3.2 and others write a list of calls as Python does.
    marks: &[Mark::anywhere("<|python_tag|>", tagged), Mark::at_line("{", plain), Mark::at_start("[", alone::list)],
    ..Format::NONE
};

/// What `<|python_tag|>` begins; Python's code is a text.
fn tagged(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    if cursor.peek()? == '{' {
        return objects(cursor).map(Found::Calls);
    }
    if cursor.peek()? == '[' {
        let calls = python::list(cursor)?;
        return if calls.is_empty() { Err(Stop::No) } else { Ok(Found::Calls(calls)) };
    }
    let method = cursor.name()?.strip_suffix(".call").ok_or(Stop::No)?;
    let arguments = python::arguments(cursor)?;
    Ok(Found::Calls(vec![ToolCall { id: None, name: method.to_owned(), arguments }]))
}

/// A line that begins with an object: a call, or an answer that is one.
pub(super) fn plain(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    if scene.tools.is_empty() || !scene.is_free {
        return Err(Stop::No);
    }
    // Data is told from a call as early as can be, so that it is shown as it comes.
    cursor.space();
    let first = cursor.clone().value()?;
    if !first.as_str().is_some_and(|key| ["name", "parameters", "arguments", "type", "function", "id"].contains(&key)) {
        return Err(Stop::No);
    }
    cursor.back_to_mark();
    let start = cursor.at();
    let calls = objects(cursor)?;
    // An object with text behind it is a call where it says so in more than its name.
    let says_more = ["\"parameters\"", "\"arguments\""].iter().any(|key| cursor.since(start).contains(key));
    let mut behind = cursor.clone();
    behind.space();
    let is_all = scene.is_over(&behind)?;
    if (is_all || says_more) && calls.iter().all(|call| scene.is_call(call)) { Ok(Found::Calls(calls)) } else { Err(Stop::No) }
}

/// Objects with semicolons, commas or nothing between them.
pub(super) fn objects(cursor: &mut Cursor<'_>) -> Step<Vec<ToolCall>> {
    let mut calls = vec![json::call(cursor)?];
    loop {
        let start = cursor.at();
        cursor.space();
        while !cursor.is_over()? && [';', ','].contains(&cursor.peek()?) {
            cursor.next()?;
            cursor.space();
        }
        if cursor.is_over()? {
            return Ok(calls);
        }
        let next = if cursor.peek()? == '{' { cursor.maybe(json::call)? } else { None };
        let Some(next) = next else {
            cursor.back_to(start);
            return Ok(calls);
        };
        calls.push(next);
    }
}

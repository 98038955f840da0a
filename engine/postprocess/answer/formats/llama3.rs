//! The whole answer is `{"name", "parameters"}`, or `<|python_tag|>` stands before such objects or before `name.call(argument="value")`:
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
    marks: &[Mark::anywhere("<|python_tag|>", tagged), Mark::at_start("{", plain), Mark::at_start("[", alone::list)],
    ..Format::NONE
};

/// What `<|python_tag|>` begins; Python's code is a text.
fn tagged(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    cursor.space();
    if cursor.peek()? == '{' {
        return objects(cursor).map(Found::Calls);
    }
    let mut method = cursor.name()?;
    method = method.strip_suffix(".call").ok_or(Stop::No)?;
    let arguments = python::arguments(cursor)?;
    Ok(Found::Calls(vec![ToolCall { id: None, name: method.to_owned(), arguments }]))
}

/// An answer that is an object: a call, or an answer that is one.
pub(super) fn plain(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    if scene.tools.is_empty() || !scene.is_free {
        return Err(Stop::No);
    }
    cursor.back_to(cursor.at() - scene.mark.len());
    let calls = objects(cursor)?;
    cursor.space();
    if cursor.is_over()? && calls.iter().all(|call| scene.is_call(call)) { Ok(Found::Calls(calls)) } else { Err(Stop::No) }
}

/// Objects with semicolons, commas or nothing between them.
pub(super) fn objects(cursor: &mut Cursor<'_>) -> Step<Vec<ToolCall>> {
    let mut calls = vec![json::call(cursor)?];
    loop {
        let mut behind = cursor.clone();
        behind.space();
        while !behind.is_over()? && [';', ','].contains(&behind.peek()?) {
            behind.next()?;
            behind.space();
        }
        if behind.is_over()? || behind.peek()? != '{' {
            if behind.is_over()? {
                *cursor = behind;
            }
            return Ok(calls);
        }
        *cursor = behind;
        calls.push(json::call(cursor)?);
    }
}

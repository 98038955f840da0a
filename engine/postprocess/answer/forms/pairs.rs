//! A name, then a key and a value between marks for each argument.

use serde_json::Map;

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    tools::Tools,
};

/// The marks of a family: around keys and values, and behind the call.
pub(in crate::postprocess::answer) struct Marks {
    pub key: (&'static str, &'static str),
    pub value: (&'static str, &'static str),
    pub close: &'static str,
}

/// A call, up to the mark behind it.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    // Hunyuan has a mark here.
    let _ = cursor.takes_behind_space("<tool_sep>")?;
    let mut arguments = Map::new();
    while cursor.takes_behind_space(marks.key.0)? {
        let (key, _) = cursor.until(&[marks.key.1])?;
        let key = key.trim().to_owned();
        cursor.expect(marks.key.1)?;
        cursor.space();
        cursor.expect(marks.value.0)?;
        let value = value(cursor, marks)?;
        arguments.insert(key.clone(), tools.typed(value, &name, &key));
    }
    cursor.space();
    // A bare name is a call where it can be nothing else.
    let is_known = !arguments.is_empty() || tools.is_empty() || tools.has(&name);
    if !is_known {
        return Err(Stop::No);
    }
    if !cursor.is_over()? && !cursor.comes(marks.close)? {
        return Err(Stop::No);
    }
    Ok(ToolCall { id: None, name, arguments })
}

/// A value: up to a closing mark that the next key or the end of the call follows, as a value may speak of marks itself.
fn value<'t>(cursor: &mut Cursor<'t>, marks: &Marks) -> Step<&'t str> {
    let start = cursor.at();
    loop {
        cursor.until(&[marks.value.1])?;
        let value = cursor.since(start);
        cursor.expect(marks.value.1)?;
        let mut behind = cursor.clone();
        behind.space();
        if behind.is_over()? || behind.comes(marks.key.0)? || behind.comes(marks.close)? {
            return Ok(value);
        }
    }
}

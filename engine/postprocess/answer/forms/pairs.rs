//! A name, then a key and a value between marks for each argument. Models forget each of the marks, or write one twice.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    tools::Tools,
};

/// The marks of a family: before the call, around keys and values, and behind the call.
pub(in crate::postprocess::answer) struct Marks {
    pub open: &'static str,
    pub key: (&'static str, &'static str),
    pub value: (&'static str, &'static str),
    pub close: &'static str,
}

/// A call, up to the mark behind it.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools) -> Step<ToolCall> {
    cursor.space();
    let written = cursor.name()?;
    // Hunyuan has a mark here.
    let _ = cursor.takes_behind_space("<tool_sep>")?;
    let (name, mut next) = match cursor.maybe(|rest| unopened(rest, marks, tools, written))? {
        Some((name, key)) => (name, Some(key)),
        None => (written.to_owned(), None),
    };
    let mut arguments = Map::new();
    loop {
        let key = match next.take() {
            Some(key) => key,
            None if cursor.takes_behind_space(marks.key.0)? => {
                while cursor.takes_behind_space(marks.key.0)? {}
                let (key, close) = cursor.until(&[marks.key.1, marks.value.0])?;
                let _ = close == marks.key.1 && cursor.takes(close)?;
                key.trim().to_owned()
            }
            None => break,
        };
        while cursor.takes_behind_space(marks.key.1)? {}
        let is_opened = cursor.takes_behind_space(marks.value.0)?;
        let value = value(cursor, marks, tools, (&name, &key), &arguments)?;
        let value = if is_opened { value } else { value.trim() };
        arguments.insert(key.clone(), tools.typed(value, &name, &key));
    }
    cursor.space();
    // A bare name is a call where it can be nothing else.
    let is_known = !arguments.is_empty() || tools.is_empty() || tools.has(&name);
    if !is_known {
        return Err(Stop::No);
    }
    if !cursor.is_over()? && !cursor.comes(marks.close)? && !cursor.comes(marks.open)? {
        return Err(Stop::No);
    }
    Ok(ToolCall { id: None, name, arguments })
}

/// The tool and the first key where the mark between them was forgotten, or is another: what the tools say that they have tells them
/// apart.
fn unopened(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools, written: &str) -> Step<(String, String)> {
    // What is no tool's name is no call, and shown at once.
    if !tools.begins(written) {
        return Err(Stop::No);
    }
    cursor.space();
    let _ = cursor.takes(marks.open)?;
    let key = cursor.word(|c| c.is_alphanumeric() || "_-.".contains(c))?;
    cursor.expect(marks.key.1)?;
    let found = match key {
        "" => tools.joined(written),
        key => tools.declares(written, key).then_some((written, key)),
    };
    found.map(|(name, key)| (name.to_owned(), key.to_owned())).ok_or(Stop::No)
}

/// A value. It may speak of marks itself: a closing mark ends it where the next key or the end of the call follows. A forgotten one shows
/// in the next key, where the tool has such an argument that did not come yet, or in the call's end.
fn value<'t>(
    cursor: &mut Cursor<'t>,
    marks: &Marks,
    tools: &Tools,
    (name, own): (&str, &str),
    given: &Map<String, Value>,
) -> Step<&'t str> {
    let start = cursor.at();
    loop {
        let (_, mark) = cursor.until(&[marks.value.1, marks.key.0, marks.close])?;
        let (place, value) = (cursor.at(), cursor.since(start));
        cursor.expect(mark)?;
        let mut behind = cursor.clone();
        behind.space();
        if mark == marks.value.1 {
            if behind.is_over()? || behind.comes(marks.key.0)? || behind.comes(marks.close)? {
                return Ok(value);
            }
            continue;
        }
        let is_forgotten = match mark == marks.close {
            true => {
                behind.is_over()?
                    || behind.takes(marks.open)? && behind.maybe(|rest| rest.name().map(|name| tools.has(name)))? == Some(true)
            }
            false => {
                let next = behind.maybe(|rest| {
                    let next = rest.name()?;
                    rest.comes(marks.key.1).map(|comes| comes.then_some(next))
                })?;
                next.flatten().is_some_and(|next| next != own && !given.contains_key(next) && tools.declares(name, next))
            }
        };
        if is_forgotten {
            cursor.back_to(place);
            return Ok(value.trim_end());
        }
    }
}

//! A call as a tag with the name in it, around a tag for each argument.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    literal::literal,
    tools::Tools,
};

/// The marks of a family.
pub(in crate::postprocess::answer) struct Marks {
    /// Before the name of the function, behind it, and behind the call.
    pub function: (&'static str, &'static str, &'static str),
    /// Before the name of an argument, behind it, and behind its value.
    pub parameter: (&'static str, &'static str, &'static str),
    /// What may follow a function: the mark behind all calls.
    pub close: &'static str,
}

/// Calls, up to the mark behind all, which may be forgotten.
pub(in crate::postprocess::answer) fn calls(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools) -> Step<Vec<ToolCall>> {
    let mut all = vec![call(cursor, marks, tools)?];
    while !cursor.takes_behind_space(marks.close)? {
        let mut behind = cursor.clone();
        behind.space();
        if !behind.comes(marks.function.0)? {
            break;
        }
        all.push(call(cursor, marks, tools)?);
    }
    Ok(all)
}

/// A call, from its tag to the tag behind it, which may be forgotten.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools) -> Step<ToolCall> {
    cursor.space();
    cursor.expect(marks.function.0)?;
    named_call(cursor, marks, tools)
}

/// A call, from its name on.
pub(in crate::postprocess::answer) fn named_call(cursor: &mut Cursor<'_>, marks: &Marks, tools: &Tools) -> Step<ToolCall> {
    let name = name(cursor)?.to_owned();
    cursor.space();
    cursor.expect(marks.function.1)?;
    let mut arguments = Map::new();
    while cursor.takes_behind_space(marks.parameter.0)? {
        let key = self::name(cursor)?.to_owned();
        let (between, _) = cursor.until(&[marks.parameter.1])?;
        cursor.expect(marks.parameter.1)?;
        // DeepSeek says here whether the value is a text or JSON.
        let says = |text: &str| between.contains(&format!("string=\"{text}\""));
        let text = value(cursor, marks, tools, (&name, &key), &arguments)?;
        let value = match tools.typed(unframed(text), &name, &key) {
            _ if says("true") => Value::from(text),
            Value::String(same) if says("false") => literal(text).unwrap_or(Value::String(same)),
            value => value,
        };
        arguments.insert(key, value);
    }
    cursor.space();
    let is_closed = cursor.takes(marks.function.2)? || cursor.is_over()? || cursor.comes(marks.close)?;
    if is_closed || cursor.comes(marks.function.0)? { Ok(ToolCall { id: None, name, arguments }) } else { Err(Stop::No) }
}

/// A value up to the mark that ends it, which is taken. A value may speak of marks itself: one ends it only where what follows fits. A
/// forgotten mark shows in the next argument's, where the tool has such an argument that did not come yet, or in the call's end.
fn value<'t>(
    cursor: &mut Cursor<'t>,
    marks: &Marks,
    tools: &Tools,
    (name, own): (&str, &str),
    given: &Map<String, Value>,
) -> Step<&'t str> {
    let start = cursor.at();
    // Calls that the value itself quotes.
    let mut quoted = 0_usize;
    loop {
        let watched = [marks.parameter.2, marks.parameter.0, marks.function.2, marks.function.0, marks.close];
        let found = cursor.maybe(|rest| rest.until(&watched).map(|(_, mark)| mark))?;
        let Some(mark) = found else {
            // Nothing follows: the marks at the end were forgotten.
            cursor.back_to(start);
            return Err(Stop::No);
        };
        let place = cursor.at();
        let value = cursor.since(start);
        cursor.expect(mark)?;
        let mut behind = cursor.clone();
        behind.space();
        if mark == marks.function.0 {
            let tag = cursor.maybe(|rest| rest.name().and_then(|_| rest.comes(marks.function.1)))?;
            quoted += usize::from(tag == Some(true));
        } else if mark == marks.function.2 && quoted > 0 {
            quoted -= 1;
        } else if quoted > 0 {
            // Belongs to what is quoted.
        } else if mark == marks.parameter.2 {
            if behind.is_over()? || behind.comes(marks.parameter.0)? || behind.comes(marks.function.2)? || behind.comes(marks.close)? {
                return Ok(value);
            }
        } else if mark == marks.parameter.0 {
            let next = cursor.maybe(|rest| {
                let next = self::name(rest)?;
                rest.comes(marks.parameter.1).map(|comes| comes.then_some(next))
            })?;
            let begins_line = value.trim_end_matches([' ', '\t']).ends_with('\n');
            let fits = |next: &str| tools.declares(name, next) || begins_line && (tools.is_empty() || tools.takes(name, next));
            if next.flatten().is_some_and(|next| next != own && !given.contains_key(next) && fits(next)) {
                cursor.back_to(place);
                return Ok(value);
            }
        } else if mark == marks.function.2 {
            if behind.is_over()? || behind.comes(marks.close)? || behind.comes(marks.function.0)? {
                cursor.back_to(place);
                return Ok(value);
            }
        } else if behind.is_over()? {
            cursor.back_to(place);
            return Ok(value);
        }
    }
}

/// A name, between quotation marks or not.
fn name<'t>(cursor: &mut Cursor<'t>) -> Step<&'t str> {
    let quote = cursor.peek()?;
    if !['"', '\''].contains(&quote) {
        return cursor.name();
    }
    cursor.next()?;
    let name = cursor.name()?;
    cursor.takes_character(quote)?;
    Ok(name)
}

/// A value without the line breaks that stand between it and its tags.
fn unframed(value: &str) -> &str {
    let value = value.strip_prefix("\r\n").or_else(|| value.strip_prefix('\n')).unwrap_or(value);
    value.strip_suffix("\r\n").or_else(|| value.strip_suffix('\n')).unwrap_or(value)
}

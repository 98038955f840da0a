//! `call:name{key:value}`: keys without quotation marks, and marks of the family's own around texts.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
};

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

/// A call, with the mark behind it.
pub(in crate::postprocess::answer) fn call(cursor: &mut Cursor<'_>, quote: &str, close: &str) -> Step<ToolCall> {
    cursor.space();
    // Some write a colon before, or in place of the word.
    let has_colon = cursor.takes(":")?;
    if !cursor.takes("call:")? && !has_colon {
        return Err(Stop::No);
    }
    named_call(cursor, quote, close)
}

/// A call from its name on. The mark behind it may be the token that ended the answer.
pub(in crate::postprocess::answer) fn named_call(cursor: &mut Cursor<'_>, quote: &str, close: &str) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    cursor.space();
    let arguments = match cursor.peek()? {
        // As Python has it.
        '(' => object(cursor, ('(', '=', ')'), quote, DEEPEST)?,
        _ => object(cursor, ('{', ':', '}'), quote, DEEPEST)?,
    };
    let _ = cursor.takes_behind_space(close)?;
    Ok(ToolCall { id: None, name, arguments })
}

fn object(cursor: &mut Cursor<'_>, (open, between, close): (char, char, char), quote: &str, deeper: usize) -> Step<Map<String, Value>> {
    let mut fields = Map::new();
    cursor.space();
    cursor.takes_character(open)?;
    loop {
        cursor.space();
        // Commas are forgotten behind texts, whose marks tell where they end.
        while cursor.takes(",")? {
            cursor.space();
        }
        if cursor.peek()? == close {
            cursor.next()?;
            return Ok(fields);
        }
        let key = key(cursor, between, quote)?;
        cursor.space();
        cursor.takes_character(between)?;
        let start = cursor.at();
        let value = value(cursor, close, quote, deeper)?;
        fields.insert(key, value);
        let is_marked = cursor.since(start).ends_with(quote);
        cursor.space();
        if cursor.peek()? != close && !is_marked {
            cursor.takes_character(',')?;
        }
    }
}

fn key(cursor: &mut Cursor<'_>, between: char, quote: &str) -> Step<String> {
    if cursor.peek()? == '"' {
        return match cursor.value()? {
            Value::String(key) => Ok(key),
            _ => Err(Stop::No),
        };
    }
    if let Some(key) = quoted(cursor, quote)? {
        return Ok(key);
    }
    let key = cursor.word(|c| c != between && !",{}[]\"".contains(c) && !c.is_control())?.trim();
    if key.is_empty() { Err(Stop::No) } else { Ok(key.to_owned()) }
}

fn value(cursor: &mut Cursor<'_>, close: char, quote: &str, deeper: usize) -> Step<Value> {
    let deeper = deeper.checked_sub(1).ok_or(Stop::No)?;
    cursor.space();
    if let Some(text) = quoted(cursor, quote)? {
        return Ok(Value::from(text));
    }
    match cursor.peek()? {
        '{' => object(cursor, ('{', ':', '}'), quote, deeper).map(Value::Object),
        '[' => cursor.list('[', ']', |rest| value(rest, ']', quote, deeper)).map(Value::Array),
        _ => match cursor.maybe(Cursor::value)? {
            Some(value) => Ok(value),
            // A text whose marks were forgotten.
            None => Ok(Value::from(cursor.word(|c| c != close && !",{}[]<>\"\n".contains(c))?.trim_end())),
        },
    }
}

/// A text between marks.
fn quoted(cursor: &mut Cursor<'_>, quote: &str) -> Step<Option<String>> {
    if !cursor.takes(quote)? {
        return Ok(None);
    }
    let (text, _) = cursor.until(&[quote])?;
    cursor.expect(quote)?;
    Ok(Some(text.to_owned()))
}

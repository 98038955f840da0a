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
    cursor.expect("call:")?;
    cursor.space();
    let name = cursor.name()?.to_owned();
    cursor.space();
    let arguments = object(cursor, quote, DEEPEST)?;
    cursor.space();
    // The mark may be the token that ended the answer.
    if cursor.is_over()? || cursor.takes(close)? { Ok(ToolCall { id: None, name, arguments }) } else { Err(Stop::No) }
}

fn object(cursor: &mut Cursor<'_>, quote: &str, deeper: usize) -> Step<Map<String, Value>> {
    let pairs = cursor.list('{', '}', |rest| {
        let key = match rest.peek()? {
            '"' => match rest.value()? {
                Value::String(key) => key,
                _ => return Err(Stop::No),
            },
            _ => match quoted(rest, quote)? {
                Some(key) => key,
                None => {
                    let key = rest.word(|c| !":,{}[]\"".contains(c) && !c.is_control())?.trim();
                    if key.is_empty() {
                        return Err(Stop::No);
                    }
                    key.to_owned()
                }
            },
        };
        rest.space();
        rest.takes_character(':')?;
        Ok((key, value(rest, quote, deeper)?))
    })?;
    Ok(Map::from_iter(pairs))
}

fn value(cursor: &mut Cursor<'_>, quote: &str, deeper: usize) -> Step<Value> {
    let deeper = deeper.checked_sub(1).ok_or(Stop::No)?;
    cursor.space();
    if let Some(text) = quoted(cursor, quote)? {
        return Ok(Value::from(text));
    }
    match cursor.peek()? {
        '{' => object(cursor, quote, deeper).map(Value::Object),
        '[' => cursor.list('[', ']', |rest| value(rest, quote, deeper)).map(Value::Array),
        _ => cursor.value(),
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

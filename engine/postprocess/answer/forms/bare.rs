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
    // Some write a colon before.
    let _ = cursor.takes(":")?;
    cursor.expect("call:")?;
    named_call(cursor, quote, close)
}

/// A call from its name on. The mark behind it may be the token that ended the answer.
pub(in crate::postprocess::answer) fn named_call(cursor: &mut Cursor<'_>, quote: &str, close: &str) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    cursor.space();
    let arguments = object(cursor, quote, DEEPEST)?;
    let _ = cursor.takes_behind_space(close)?;
    Ok(ToolCall { id: None, name, arguments })
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
        _ => match cursor.maybe(Cursor::value)? {
            Some(value) => Ok(value),
            // A text whose marks were forgotten.
            None => Ok(Value::from(cursor.word(|c| !",{}[]<>\"\n".contains(c))?.trim_end())),
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

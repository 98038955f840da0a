//! Looking for a part of a string.

use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::run::arguments::{Bound, integer, text as text_of};
use crate::preprocess::text::jinja::value::Value;

/// The part of a string between two places, which count characters; `None` where it begins behind its end.
pub(super) fn between<'a>(text: &'a str, start: Option<&Value>, end: Option<&Value>) -> Result<Option<(usize, &'a str)>> {
    let place = |value: Option<&Value>, default: i64| match value {
        None | Some(Value::None) => Ok(default),
        Some(value) => integer(value).map_err(|_| Error::type_error("slice indices must be integers or None or have an __index__ method")),
    };
    if start.is_none() && end.is_none() {
        return Ok(Some((0, text)));
    }
    let length = text.chars().count() as i64;
    let clamp = |place: i64| if place < 0 { place.saturating_add(length).max(0) } else { place };
    let (start, end) = (clamp(place(start, 0)?), clamp(place(end, length)?).min(length));
    if start > end {
        return Ok(None);
    }
    let byte = |place: i64| text.char_indices().nth(place as usize).map_or(text.len(), |(index, _)| index);
    Ok(Some((start as usize, &text[byte(start)..byte(end)])))
}

/// `find`, `rfind`, `index` and `rindex`
pub(super) fn find(text: &str, name: &str, bound: &Bound<3>) -> Result<Value> {
    let part = text_of(bound.value(0))?;
    let found = between(text, bound.given(1), bound.given(2))?.and_then(|(start, inside)| {
        let found = if name.starts_with('r') { inside.rfind(part) } else { inside.find(part) };
        found.map(|found| start + inside[..found].chars().count())
    });
    match found {
        Some(found) => Ok(Value::from(found)),
        None if name.ends_with("index") => Err(Error::value_error("substring not found")),
        None => Ok(Value::Int(-1)),
    }
}

/// `count(sub, start, end)`
pub(super) fn count(text: &str, bound: &Bound<3>) -> Result<Value> {
    let part = text_of(bound.value(0))?;
    let Some((_, inside)) = between(text, bound.given(1), bound.given(2))? else { return Ok(Value::Int(0)) };
    Ok(Value::from(if part.is_empty() { inside.chars().count() + 1 } else { inside.matches(part).count() }))
}

/// `startswith` and `endswith`, of one string or any of a tuple
pub(super) fn starts_or_ends(text: &str, name: &str, bound: &Bound<3>) -> Result<Value> {
    let Some((_, inside)) = between(text, bound.given(1), bound.given(2))? else { return Ok(Value::Bool(false)) };
    let is = |part: &str| if name == "startswith" { inside.starts_with(part) } else { inside.ends_with(part) };
    let wrong = |value: &Value| Error::type_error(format!("{name} first arg must be str or a tuple of str, not {}", value.type_name()));
    match bound.value(0) {
        Value::Str(part) | Value::Markup(part) => Ok(Value::Bool(is(part))),
        Value::Tuple(parts) => {
            for part in &parts.items {
                if is(part.as_str().ok_or_else(|| wrong(part))?) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        other => Err(wrong(other)),
    }
}

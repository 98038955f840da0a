//! Parts of a message between `<|open|>name attributes<|sep|>` and `<|close|>name<|sep|>`: Kimi K3.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Kind, Mark, Scene},
    literal::literal,
};

pub(super) const FORMAT: Format = Format {
    name: "kimi-k3",
    templates: &[&["<|open|>", "<|sep|>"]],
    marks: &[Mark::anywhere("<|open|>", opened), Mark::anywhere("<|close|>", closed)],
    silent: &["<|end_of_msg|>"],
    begins_in_prompt: Some("<|open|>"),
    ..Format::NONE
};

/// What a part may be. A closing mark of one that is not open says nothing.
const PARTS: [&str; 7] = ["message", "response", "think", "tools", "call", "argument", "json"];

fn opened(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    match tag(cursor)? {
        ("think", _) => Ok(Found::Text(Kind::Reasoning, &["<|close|>", "<|open|>"])),
        ("call", attributes) => call(cursor, attributes).map(|call| Found::Calls(vec![call])),
        ("message" | "response" | "tools", _) => Ok(Found::Nothing),
        _ => Err(Stop::No),
    }
}

fn closed(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    if PARTS.contains(&tag(cursor)?.0) { Ok(Found::Nothing) } else { Err(Stop::No) }
}

/// The name and the attributes of a part.
fn tag<'t>(cursor: &mut Cursor<'t>) -> Step<(&'t str, &'t str)> {
    let inside = cursor.maybe(|rest| rest.until(&["<|sep|>"]))?;
    let Some((inside, _)) = inside else {
        // The answer ends in the name.
        let begun = cursor.name()?;
        let name = PARTS.into_iter().find(|name| name.starts_with(begun)).filter(|_| cursor.rest().is_empty());
        return name.map(|name| (name, "")).ok_or(Stop::No);
    };
    cursor.expect("<|sep|>")?;
    Ok(inside.split_once(' ').unwrap_or((inside, "")))
}

/// An attribute, `name="value"`.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, rest) = attributes.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&quot;", "\"").replace("&amp;", "&"))
}

/// A call, behind its tag.
fn call(cursor: &mut Cursor<'_>, attributes: &str) -> Step<ToolCall> {
    let name = attribute(attributes, "tool").filter(|name| !name.is_empty()).ok_or(Stop::No)?;
    let mut arguments = Map::new();
    while cursor.takes_behind_space("<|open|>")? {
        let (kind, attributes) = tag(cursor)?;
        let close = match kind {
            "argument" => "<|close|>argument<|sep|>",
            "json" => "<|close|>json<|sep|>",
            _ => return Err(Stop::No),
        };
        let (text, _) = cursor.until(&[close])?;
        cursor.expect(close)?;
        if kind == "json" {
            let Some(Value::Object(all)) = literal(text) else { return Err(Stop::No) };
            arguments.extend(all);
            continue;
        }
        let key = attribute(attributes, "key").ok_or(Stop::No)?;
        let is_text = attribute(attributes, "type").is_none_or(|kind| kind == "string");
        let value = if is_text { None } else { literal(text) };
        arguments.insert(key, value.unwrap_or_else(|| Value::from(text)));
    }
    let _ = cursor.takes_behind_space("<|close|>call<|sep|>")?;
    Ok(ToolCall { id: None, name, arguments })
}

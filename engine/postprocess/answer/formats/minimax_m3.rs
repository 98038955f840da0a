//! Tags behind a mark of their own, for values in values as well: `]<]minimax[>[<key>value]<]minimax[>[</key>`.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Reasoning, Scene},
    tools::Tools,
};

pub(super) const FORMAT: Format = Format {
    name: "minimax-m3",
    templates: &[&[NAMESPACE]],
    reasoning: &[Reasoning::first("<mm:think>", "</mm:think>")],
    marks: &[Mark::anywhere("]<]minimax[>[<tool_call>", read)],
    ..Format::NONE
};

/// What each tag stands behind.
const NAMESPACE: &str = "]<]minimax[>[";

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

fn read(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut calls = Vec::new();
    while cursor.takes_behind_space("]<]minimax[>[<invoke name=\"")? {
        let name = cursor.name()?.to_owned();
        cursor.expect("\">")?;
        let mut path = Vec::new();
        let arguments = match inside(cursor, scene.tools, &name, &mut path, "invoke")? {
            Inside::Tags(tags) => tags,
            Inside::Text(_) => Vec::new(),
        };
        calls.push(ToolCall { id: None, name, arguments: Map::from_iter(arguments) });
    }
    let _ = cursor.takes_behind_space("]<]minimax[>[</tool_call>")?;
    if calls.is_empty() { Err(Stop::No) } else { Ok(Found::Calls(calls)) }
}

/// What stands in a tag.
enum Inside<'t> {
    Text(&'t str),
    Tags(Vec<(String, Value)>),
}

/// Reads what stands in a tag, and the tag behind it. `path` is where that lies in the arguments.
fn inside<'t>(cursor: &mut Cursor<'t>, tools: &Tools, name: &str, path: &mut Vec<String>, tag: &str) -> Step<Inside<'t>> {
    let mut tags = Vec::new();
    loop {
        let (text, _) = cursor.until(&[NAMESPACE])?;
        cursor.expect(NAMESPACE)?;
        cursor.space();
        cursor.expect("<")?;
        if cursor.takes("/")? {
            let (closed, _) = cursor.until(&[">"])?;
            cursor.expect(">")?;
            return match (closed.trim() == tag, tags.is_empty()) {
                (false, _) => Err(Stop::No),
                (true, true) => Ok(Inside::Text(text)),
                (true, false) => Ok(Inside::Tags(tags)),
            };
        }
        let (opened, _) = cursor.until(&[">"])?;
        let key = opened.trim().to_owned();
        cursor.expect(">")?;
        if path.len() >= DEEPEST {
            return Err(Stop::No);
        }
        path.push(key.clone());
        let value = match inside(cursor, tools, name, path, &key)? {
            Inside::Text(text) => tools.typed_within(text, name, path),
            Inside::Tags(tags) if tags.iter().all(|(key, _)| key == "item") => tags.into_iter().map(|(_, value)| value).collect(),
            Inside::Tags(tags) => Value::Object(Map::from_iter(tags)),
        };
        path.pop();
        tags.push((key, value));
    }
}

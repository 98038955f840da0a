//! A list of objects whose only key is the tool: `<|tools_prefix|>[{"name": {…}}]<|tools_suffix|>`.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Reasoning, Scene},
    forms::json::call_in,
};

pub(super) const FORMAT: Format = Format {
    name: "apertus",
    templates: &[&["<|tools_prefix|>"]],
    reasoning: &[Reasoning::first("<|inner_prefix|>", "<|inner_suffix|>")],
    marks: &[Mark::anywhere("<|tools_prefix|>", read)],
    ..Format::NONE
};

fn read(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let calls = cursor.list('[', ']', call)?;
    let _ = cursor.takes_behind_space("<|tools_suffix|>")?;
    Ok(Found::Calls(calls))
}

fn call(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    let fields = cursor.object()?;
    let mut all = fields.iter();
    let only = all.next().filter(|_| all.next().is_none()).map(|(name, arguments)| (name.clone(), arguments));
    match only {
        Some((name, Value::Object(arguments))) => Ok(ToolCall { id: None, name, arguments: arguments.clone() }),
        Some((name, Value::Null)) => Ok(ToolCall { id: None, name, arguments: Map::new() }),
        _ => call_in(&Value::Object(fields)).ok_or(Stop::No),
    }
}

//! `<tool_call>` around JSON, or around names and values in tags of their own.

use serde_json::{Map, Value};

use super::{ToolCall, between, object};

/// Takes the calls out of a text.
pub(super) fn tags(text: &str, tools: &[Value]) -> (String, Vec<ToolCall>) {
    between(text, "<tool_call>", "</tool_call>", |body| {
        let call = if body.starts_with("<function=") {
            function(body, tools)
        } else if body.starts_with('{') {
            serde_json::from_str(body).ok().and_then(|value| object(&value))
        } else {
            pairs(body, tools)
        };
        call.map(|call| vec![call])
    })
}

/// A name, and `<arg_key>` and `<arg_value>` for each argument.
fn pairs(body: &str, tools: &[Value]) -> Option<ToolCall> {
    let (name, mut rest) = body.split_at(body.find("<arg_key>").unwrap_or(body.len()));
    let name = name.trim();
    let mut arguments = Map::new();
    while let Some((_, after)) = rest.split_once("<arg_key>") {
        let (key, after) = after.split_once("</arg_key>")?;
        let (_, after) = after.split_once("<arg_value>")?;
        let (value, next) = after.split_once("</arg_value>")?;
        arguments.insert(key.trim().to_owned(), typed(value, name, key.trim(), tools));
        rest = next;
    }
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "<>{}\"".contains(c));
    is_name.then(|| ToolCall { id: None, name: name.to_owned(), arguments })
}

/// `<function=name>` and its parameters.
fn function(body: &str, tools: &[Value]) -> Option<ToolCall> {
    let (name, mut rest) = body.strip_prefix("<function=")?.split_once('>')?;
    let mut arguments = Map::new();
    while let Some((_, after)) = rest.split_once("<parameter=") {
        let (parameter, after) = after.split_once('>')?;
        let (value, next) = after.split_once("</parameter>")?;
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        arguments.insert(parameter.to_owned(), typed(value, name, parameter, tools));
        rest = next;
    }
    Some(ToolCall { id: None, name: name.to_owned(), arguments })
}

/// A value written as plain text: JSON unless the tool's schema says that it is a string, or says nothing.
fn typed(value: &str, name: &str, parameter: &str, tools: &[Value]) -> Value {
    let function = |tool: &Value| tool.get("function").unwrap_or(tool).clone();
    let tool = tools.iter().map(function).find(|tool| tool.get("name").and_then(Value::as_str) == Some(name));
    let kind = tool.and_then(|tool| tool.pointer("/parameters/properties")?.get(parameter)?.get("type").cloned());
    let is_text = match &kind {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        Some(kind) => kind == "string",
    };
    let read = if is_text { None } else { serde_json::from_str(value).ok() };
    read.unwrap_or_else(|| Value::from(value))
}

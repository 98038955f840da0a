//! What a chat model wrote becomes its reasoning, its calls of tools and the rest, for the formats of the common families.

use serde_json::{Map, Value};

/// An answer in parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// What is neither reasoning nor a call.
    pub content: String,
    /// What stands between the marks of reasoning; `None` without them.
    pub reasoning_content: Option<String>,
    /// The calls, in their order.
    pub tool_calls: Vec<ToolCall>,
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Its name among the calls, where the model gives one.
    pub id: Option<String>,
    /// The name of the tool.
    pub name: String,
    /// The arguments by name.
    pub arguments: Map<String, Value>,
}

/// How a family writes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolFormat {
    /// `<tool_call>` around `{"name", "arguments"}` or around `<function=name><parameter=name>value</parameter></function>`:
    /// Qwen, Hermes and many others.
    Tags,
    /// The whole answer is `{"name", "parameters"}`, or `<|python_tag|>` and such objects or `name.call(argument="value")`: Llama 3.
    Json,
    /// `[TOOL_CALLS]` before a list of `{"name", "arguments", "id"}`, or before each `name{…}` or `name[ARGS]{…}`: Mistral.
    Brackets,
}

impl ToolFormat {
    /// The format that a chat template writes calls in.
    pub fn of_template(template: &str) -> Option<Self> {
        if template.contains("[TOOL_CALLS]") {
            Some(Self::Brackets)
        } else if template.contains("<tool_call>") {
            Some(Self::Tags)
        } else if template.contains("<|python_tag|>") || (template.contains("<|start_header_id|>") && template.contains("\"parameters\"")) {
            Some(Self::Json)
        } else {
            None
        }
    }
}

const REASONING: [(&str, &str); 2] = [("<think>", "</think>"), ("[THINK]", "[/THINK]")];

/// Takes an answer apart. `prompt` is the text before it, whose end may have opened the reasoning; `tools` are the JSON schemas
/// that the model was given, which say what type a parameter written as plain text has. What looks like a call and cannot be
/// read as one stays in the content.
pub fn parse_answer(text: &str, prompt: &str, format: Option<ToolFormat>, tools: &[Value]) -> Answer {
    let (reasoning_content, rest) = split_reasoning(text, prompt);
    let (content, tool_calls) = match format {
        None => (rest.to_owned(), Vec::new()),
        Some(ToolFormat::Tags) => tags(rest, tools),
        Some(ToolFormat::Json) => json(rest),
        Some(ToolFormat::Brackets) => brackets(rest),
    };
    let content = if reasoning_content.is_some() || !tool_calls.is_empty() { content.trim().to_owned() } else { content };
    Answer { content, reasoning_content, tool_calls }
}

/// The reasoning, and the text behind it.
fn split_reasoning<'a>(text: &'a str, prompt: &str) -> (Option<String>, &'a str) {
    for (open, close) in REASONING {
        let inside = if prompt.trim_end().ends_with(open) { Some(text) } else { text.trim_start().strip_prefix(open) };
        // Some models leave the opening mark to a prompt that the caller does not show.
        let inside = inside.or_else(|| (text.contains(close) && !text.contains(open)).then_some(text));
        if let Some(inside) = inside {
            let (reasoning, rest) = inside.split_once(close).unwrap_or((inside, ""));
            return (Some(reasoning.trim().to_owned()), rest);
        }
    }
    (None, text)
}

/// `{"name", "arguments"}`, also with `parameters`, and with arguments that are JSON inside a string.
fn object(value: &Value) -> Option<ToolCall> {
    let name = value.get("name")?.as_str()?.to_owned();
    let arguments = match value.get("arguments").or_else(|| value.get("parameters")) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(Value::String(text)) => serde_json::from_str(text).ok()?,
        Some(_) => return None,
    };
    let id = value.get("id").and_then(Value::as_str).map(str::to_owned);
    Some(ToolCall { id, name, arguments })
}

fn tags(text: &str, tools: &[Value]) -> (String, Vec<ToolCall>) {
    let (mut content, mut calls, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once("<tool_call>") {
        content.push_str(before);
        // The closing mark may be the token that ended the answer.
        let (body, next) = after.split_once("</tool_call>").unwrap_or((after, ""));
        let body = body.trim();
        let call = if body.starts_with("<function=") {
            function(body, tools)
        } else {
            serde_json::from_str(body).ok().and_then(|value| object(&value))
        };
        match call {
            Some(call) => calls.push(call),
            None => content.push_str(&rest[before.len()..rest.len() - next.len()]),
        }
        rest = next;
    }
    content.push_str(rest);
    (content, calls)
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

fn json(text: &str) -> (String, Vec<ToolCall>) {
    let kept = || (text.to_owned(), Vec::new());
    let (content, body) = match text.split_once("<|python_tag|>") {
        Some((before, body)) => (before, body.trim()),
        None => ("", text.trim()),
    };
    if let Some(call) = python(body) {
        return (content.to_owned(), vec![call]);
    }
    let mut calls = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { return kept() };
        let Some(call) = object(&value) else { return kept() };
        calls.push(call);
        rest = rest[values.byte_offset()..].trim_start_matches(|c: char| c == ';' || c == ',' || c.is_whitespace());
    }
    (content.to_owned(), calls)
}

/// `name.call(argument="value", …)`
fn python(body: &str) -> Option<ToolCall> {
    let (name, rest) = body.split_once(".call(")?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let mut rest = rest.trim_start();
    let mut arguments = Map::new();
    while !rest.starts_with(')') {
        let (argument, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        arguments.insert(argument.trim().to_owned(), values.next()?.ok()?);
        rest = after[values.byte_offset()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(ToolCall { id: None, name: name.to_owned(), arguments })
}

fn brackets(text: &str) -> (String, Vec<ToolCall>) {
    let Some((content, mut rest)) = text.split_once("[TOOL_CALLS]") else { return (text.to_owned(), Vec::new()) };
    let mut calls = Vec::new();
    loop {
        let (body, next) = rest.split_once("[TOOL_CALLS]").map_or((rest, None), |(body, next)| (body, Some(next)));
        match bracketed(body.trim()) {
            Some(found) => calls.extend(found),
            None => return (text.to_owned(), Vec::new()),
        }
        match next {
            Some(next) => rest = next,
            None => return (content.to_owned(), calls),
        }
    }
}

/// A list of calls, or one call as its name and its arguments.
fn bracketed(body: &str) -> Option<Vec<ToolCall>> {
    if body.starts_with(['[', '{']) {
        // A model may go on after the list.
        let value: Value = serde_json::Deserializer::from_str(body).into_iter().next()?.ok()?;
        return match &value {
            Value::Array(calls) => calls.iter().map(object).collect(),
            call => object(call).map(|call| vec![call]),
        };
    }
    let (head, arguments) = body.split_at(body.find('{')?);
    let head = head.trim().trim_end_matches("[ARGS]");
    let (name, id) = head.split_once("[CALL_ID]").map_or((head, None), |(name, id)| (name, Some(id.to_owned())));
    let arguments = serde_json::Deserializer::from_str(arguments).into_iter().next()?.ok()?;
    Some(vec![ToolCall { id, name: name.trim().to_owned(), arguments }])
}

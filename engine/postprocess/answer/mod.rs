//! What a chat model wrote becomes its reasoning, its calls of tools and the rest, for the formats of the common families.

mod brackets;
mod channels;
mod functions;
mod json;
mod lists;
mod python;
mod sections;
mod tags;

use serde_json::{Map, Value, json};

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
    /// `<tool_call>` around `{"name", "arguments"}`, around `<function=name><parameter=name>value</parameter></function>`, or around a name
    /// and pairs of `<arg_key>` and `<arg_value>`: Qwen, Hermes, GLM and many others.
    Tags,
    /// The whole answer is `{"name", "parameters"}`, or `<|python_tag|>` and such objects or `name.call(argument="value")`: Llama 3.
    Json,
    /// `[TOOL_CALLS]` before a list of `{"name", "arguments", "id"}`, or before each `name{…}` or `name[ARGS]{…}`: Mistral.
    Brackets,
    /// `<|channel|>commentary to=functions.name … <|message|>{…}<|call|>`, with reasoning and answer in channels of their own: gpt-oss.
    Channels,
    /// A list of calls behind a mark, `<|tool_call|>`, `<|START_ACTION|>` or `Action:`: Granite, Phi, Command R.
    Lists,
    /// Between marks, the name, a mark and the arguments: DeepSeek, Kimi.
    Sections,
    /// `call:name{key:value}` between marks, with marks of its own around texts: Gemma.
    Functions,
    /// `[name(argument="value"), …]` as in Python, between marks: LFM2.
    Python,
}

impl ToolFormat {
    /// The format that a chat template writes calls in.
    pub fn of_template(template: &str) -> Option<Self> {
        let marks: [(Self, &[&str]); 9] = [
            (Self::Brackets, &["[TOOL_CALLS]"]),
            (Self::Channels, &["<|channel|>"]),
            (Self::Sections, &sections::MARKS),
            (Self::Functions, &functions::MARKS),
            (Self::Python, &python::MARKS),
            (Self::Lists, &lists::MARKS),
            (Self::Tags, &["<tool_call>"]),
            (Self::Json, &["<|python_tag|>"]),
            (Self::Lists, &["Action: ```json"]),
        ];
        let known = marks.iter().find(|(_, marks)| marks.iter().any(|mark| template.contains(mark))).map(|(format, _)| *format);
        let is_llama = template.contains("<|start_header_id|>") && template.contains("\"parameters\"");
        known.or(is_llama.then_some(Self::Json))
    }
}

impl Answer {
    /// From a message as response templates give it. Calls that have no name, or whose arguments are not an object, stay in the content.
    pub fn from_message(message: &Map<String, Value>) -> Self {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut answer = Self {
            content: text("content").unwrap_or_default(),
            reasoning_content: ["reasoning_content", "thinking", "reasoning"].into_iter().find_map(text),
            tool_calls: Vec::new(),
        };
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let id = call.get("id").and_then(Value::as_str).map(str::to_owned);
            match object(call.get("function").unwrap_or(call)) {
                Some(read) => answer.tool_calls.push(ToolCall { id: id.or(read.id.clone()), ..read }),
                None => answer.content.push_str(&call.to_string()),
            }
        }
        answer
    }

    /// The message of the assistant, as chat templates read it.
    pub fn to_message(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": self.content});
        if let Some(reasoning) = &self.reasoning_content {
            message["reasoning_content"] = json!(reasoning);
        }
        if !self.tool_calls.is_empty() {
            let call = |call: &ToolCall| {
                let mut value = json!({"type": "function", "function": {"name": call.name, "arguments": call.arguments}});
                if let Some(id) = &call.id {
                    value["id"] = json!(id);
                }
                value
            };
            message["tool_calls"] = self.tool_calls.iter().map(call).collect();
        }
        message
    }
}

/// What calls begin with.
pub(crate) const CALL_MARKS: [&str; 12] = [
    "<tool_call>",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "<|channel|>",
    lists::MARKS[0],
    lists::MARKS[1],
    "Action: ```",
    sections::MARKS[0],
    sections::MARKS[1],
    functions::MARKS[0],
    functions::MARKS[1],
    python::MARKS[0],
];

/// What families write around reasoning.
const REASONING: [(&str, &str); 6] = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
];

/// Takes an answer apart. `prompt` is the text before it, whose end may have opened the reasoning; `tools` are the JSON schemas
/// that the model was given, which say what type a parameter written as plain text has. What looks like a call and cannot be
/// read as one stays in the content.
pub fn parse_answer(text: &str, prompt: &str, format: Option<ToolFormat>, tools: &[Value]) -> Answer {
    if format == Some(ToolFormat::Channels) {
        return channels::channels(text, prompt);
    }
    let (reasoning_content, rest) = split_reasoning(text, prompt);
    let (content, tool_calls) = match format {
        None => (rest.to_owned(), Vec::new()),
        Some(ToolFormat::Tags) => tags::tags(rest, tools),
        Some(ToolFormat::Json) => json::json(rest),
        Some(ToolFormat::Brackets) => brackets::brackets(rest),
        Some(ToolFormat::Channels) => (rest.to_owned(), Vec::new()),
        Some(ToolFormat::Lists) => lists::lists(rest),
        Some(ToolFormat::Sections) => sections::sections(rest),
        Some(ToolFormat::Functions) => functions::functions(rest),
        Some(ToolFormat::Python) => python::python(rest),
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

/// `{"name", "arguments"}`, by the names that families have for these, and with arguments that are JSON inside a string.
fn object(value: &Value) -> Option<ToolCall> {
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| value.get(name));
    let name = field(["name", "tool_name"])?.as_str()?.to_owned();
    let arguments = match field(["arguments", "parameters"]) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(Value::String(text)) => serde_json::from_str(text).ok()?,
        Some(_) => return None,
    };
    let id = field(["id", "tool_call_id"]).and_then(Value::as_str).map(str::to_owned);
    Some(ToolCall { id, name, arguments })
}

/// The JSON value at the beginning of a text.
fn first_json<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

/// Takes what stands between two marks out of a text, where it can be read; the closing mark may be the token that ended the answer.
fn between(text: &str, open: &str, close: &str, read: impl Fn(&str) -> Option<Vec<ToolCall>>) -> (String, Vec<ToolCall>) {
    let (mut content, mut calls, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once(open) {
        content.push_str(before);
        let (body, next) = after.split_once(close).unwrap_or((after, ""));
        match read(body.trim()) {
            Some(found) => calls.extend(found),
            None => content.push_str(&rest[before.len()..rest.len() - next.len()]),
        }
        rest = next;
    }
    content.push_str(rest);
    (content, calls)
}

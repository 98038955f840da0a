//! What a chat model wrote becomes its reasoning, its calls of tools and the rest, for the formats of the common families.
//!
//! A format is one file in `formats/` and its line in the table there. The file says all: by what a chat template is recognised, the marks
//! of reasoning, the marks that something begins with, and how what stands behind each is read. A reader is a function on a `Cursor`,
//! whose steps are certain whatever follows, so that an answer that comes piece by piece and one that is there at once are read by the
//! same code, with the same end; the ways to write a call that several families share are in `forms/`. Everything else (what is held
//! back, white space, quoted marks, calls inside of reasoning) is done once for all formats in `reader.rs`.

mod cursor;
mod flow;
mod format;
mod formats;
mod forms;
mod literal;
mod reader;
mod region;
mod scan;
mod tools;

use serde_json::{Map, Value, json};

pub(super) use flow::Flow;
pub use format::AnswerFormat;
pub use reader::{AnswerReader, Part};

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
    /// The arguments by name. Numbers that Python reads and JSON does not have are the texts `NaN`, `Infinity` and `-Infinity`.
    pub arguments: Map<String, Value>,
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
            match forms::json::call_in(call) {
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

/// Takes an answer apart. `prompt` is the text before it, whose end may have opened the reasoning, empty where it is not known; `tools` are
/// the JSON schemas that the model was given: they say what type a parameter written as plain text has, and whether an answer without marks
/// is a call. What looks like a call and cannot be read as one stays in the content.
pub fn parse_answer(text: &str, prompt: &str, format: &AnswerFormat, tools: &[Value]) -> Answer {
    let mut reader = AnswerReader::new(format, prompt, tools);
    reader.push(text);
    reader.finish();
    reader.into_answer()
}

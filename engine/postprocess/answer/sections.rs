//! Calls between marks of their own, with a mark between name and arguments: DeepSeek, Kimi.

use super::{ToolCall, between, first_json};

/// The marks before all calls.
pub(super) const MARKS: [&str; 2] = ["<｜tool▁calls▁begin｜>", "<|tool_calls_section_begin|>"];

/// Takes the calls out of a text.
pub(super) fn sections(text: &str) -> (String, Vec<ToolCall>) {
    if text.contains(MARKS[0]) {
        let calls = |section: &str| all(section, "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", deepseek);
        return between(text, MARKS[0], "<｜tool▁calls▁end｜>", calls);
    }
    let calls = |section: &str| all(section, "<|tool_call_begin|>", "<|tool_call_end|>", kimi);
    between(text, MARKS[1], "<|tool_calls_section_end|>", calls)
}

/// The calls of a section; `None` where it has something else.
fn all(section: &str, open: &str, close: &str, read: impl Fn(&str) -> Option<ToolCall>) -> Option<Vec<ToolCall>> {
    let (rest, calls) = between(section, open, close, |body| Some(vec![read(body)?]));
    rest.trim().is_empty().then_some(calls)
}

/// `function<｜tool▁sep｜>name`, a line's end and arguments in a fence, or newer `name<｜tool▁sep｜>{…}`.
fn deepseek(body: &str) -> Option<ToolCall> {
    let (before, after) = body.split_once("<｜tool▁sep｜>")?;
    let (name, arguments) = match after.split_once("```json") {
        Some((name, arguments)) => (name, arguments),
        None => (before, after),
    };
    Some(ToolCall { id: None, name: name.trim().to_owned(), arguments: first_json(arguments)? })
}

/// `functions.name:0<|tool_call_argument_begin|>{…}`
fn kimi(body: &str) -> Option<ToolCall> {
    let (id, arguments) = body.split_once("<|tool_call_argument_begin|>")?;
    let id = id.trim();
    let name = id.rsplit_once(':').map_or(id, |(name, _)| name);
    let name = name.strip_prefix("functions.").unwrap_or(name).to_owned();
    Some(ToolCall { id: Some(id.to_owned()), name, arguments: first_json(arguments)? })
}

//! A JSON list of calls behind a mark.

use serde_json::Value;

use super::{ToolCall, between, first_json, object};

/// The marks before a list that are tokens of their own.
pub(super) const MARKS: [&str; 2] = ["<|tool_call|>", "<|START_ACTION|>"];

/// Takes the calls out of a text.
pub(super) fn lists(text: &str) -> (String, Vec<ToolCall>) {
    let marks = [("<|tool_call|>", "<|/tool_call|>"), ("<|START_ACTION|>", "<|END_ACTION|>"), ("Action:", "```\n")];
    let Some((open, close)) = marks.into_iter().find(|(open, _)| text.contains(open)) else {
        return (without_frame(text), Vec::new());
    };
    // A fence closes where its text has ended.
    let (content, calls) = match text.split_once("Action: ```json").filter(|_| open == "Action:") {
        Some((before, list)) => match read(list.trim()) {
            Some(calls) => (before.to_owned(), calls),
            None => (text.to_owned(), Vec::new()),
        },
        None => between(text, open, close, read),
    };
    // Command R calls this where it calls nothing.
    let nothing = |call: &ToolCall| call.name == "directly_answer" || call.name == "directly-answer";
    (without_frame(&content), calls.into_iter().filter(|call| !nothing(call)).collect())
}

fn read(list: &str) -> Option<Vec<ToolCall>> {
    match first_json(list)? {
        Value::Array(calls) => calls.iter().map(object).collect(),
        call => object(&call).map(|call| vec![call]),
    }
}

/// Command A's marks around what is neither reasoning nor a call.
fn without_frame(text: &str) -> String {
    text.replace("<|START_RESPONSE|>", "").replace("<|END_RESPONSE|>", "")
}

//! `call:name{key:value}` with marks of its own around texts: Gemma.

use super::{ToolCall, between};
use crate::postprocess::response::{strings_in, strings_out, with_quoted_keys};

/// The marks before a call.
pub(super) const MARKS: [&str; 2] = ["<start_function_call>", "<|tool_call>"];

/// Takes the calls out of a text.
pub(super) fn functions(text: &str) -> (String, Vec<ToolCall>) {
    if text.contains(MARKS[0]) {
        between(text, MARKS[0], "<end_function_call>", |body| call(body, "<escape>"))
    } else {
        between(text, MARKS[1], "<tool_call|>", |body| call(body, "<|\"|>"))
    }
}

fn call(body: &str, quote: &str) -> Option<Vec<ToolCall>> {
    let body = body.strip_prefix("call:")?;
    let (name, arguments) = body.split_at(body.find('{')?);
    if arguments.contains(['\u{1}', '\u{2}']) {
        return None;
    }
    let mut strings = Vec::new();
    let bare = with_quoted_keys(&strings_out(arguments, quote, quote, &mut strings));
    let arguments = serde_json::from_str(&strings_in(bare, &strings)).ok()?;
    Some(vec![ToolCall { id: None, name: name.trim().to_owned(), arguments }])
}

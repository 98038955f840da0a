//! The channels of gpt-oss (harmony): each message says which it is in, and a call whom it goes to.

use super::{Answer, ToolCall};

/// Takes an answer apart. The message that the answer begins with may have begun in the prompt.
pub(super) fn channels(text: &str, prompt: &str) -> Answer {
    let begun = prompt.rsplit_once("<|start|>").map_or("", |(_, begun)| begun);
    let begun = if begun.contains("<|end|>") { "" } else { begun };
    let whole = [begun, text].concat();
    if !whole.contains("<|message|>") {
        return Answer { content: text.to_owned(), ..Answer::default() };
    }
    let (mut content, mut reasoning, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for message in whole.split("<|start|>") {
        // A channel may follow another without a start of its own.
        for message in beginnings(message) {
            let Some((header, body)) = message.split_once("<|message|>") else { continue };
            let body = ["<|end|>", "<|call|>", "<|return|>"].into_iter().fold(body, |body, end| body.split(end).next().unwrap_or(body));
            let word_behind = |mark: &str| header.split_once(mark).map(|(_, rest)| rest.split([' ', '<']).next().unwrap_or(rest));
            let name = word_behind("to=").map(|recipient| recipient.strip_prefix("functions.").unwrap_or(recipient));
            match (name, word_behind("<|channel|>")) {
                (Some(name), _) => match serde_json::from_str(if body.trim().is_empty() { "{}" } else { body }) {
                    Ok(arguments) => calls.push(ToolCall { id: None, name: name.to_owned(), arguments }),
                    Err(_) => content.push(message.strip_prefix("assistant").unwrap_or(message)),
                },
                (None, Some("analysis")) => reasoning.push(body.trim()),
                (None, _) => content.push(body.trim()),
            }
        }
    }
    let joined = |parts: Vec<&str>| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let reasoning_content = (!reasoning.is_empty()).then(|| joined(reasoning));
    Answer { content: joined(content), reasoning_content, tool_calls: calls }
}

/// The messages in a text, each from its header on.
fn beginnings(text: &str) -> Vec<&str> {
    let mut places: Vec<usize> = text.match_indices("<|channel|>").map(|(place, _)| place).collect();
    // What stands before the first channel is a part of its header.
    match places.first_mut() {
        Some(first) => *first = 0,
        None => places.push(0),
    }
    let ends = places.iter().skip(1).copied().chain([text.len()]);
    places.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end)).collect()
}

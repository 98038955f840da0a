//! The channels of gpt-oss (harmony): each message says in its header which channel it is in, and a call whom it goes to:
//! `<|start|>assistant<|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>`.

use serde_json::Map;

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Kind, Mark, Scene},
};

pub(super) const FORMAT: Format = Format {
    name: "gpt-oss",
    templates: &[&["<|channel|>"]],
    marks: &[Mark::anywhere("<|start|>", message), Mark::anywhere("<|channel|>", message)],
    silent: &["<|end|>", "<|return|>", "<|call|>"],
    begins_in_prompt: Some("<|start|>"),
    ..Format::NONE
};

/// What a message ends with: its own mark, or the header of the next.
const ENDS: &[&str] = &["<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"];

/// No header is longer.
const LONGEST_HEADER: usize = 400;

/// A header and, where it is a call, the message.
fn message(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let start = cursor.at();
    if scene.mark == "<|start|>" && !cursor.takes("assistant")? {
        return Err(Stop::No);
    }
    // A role is followed by whom the message is for, or by a mark.
    if scene.mark == "<|start|>" && !cursor.is_over()? && !cursor.peek()?.is_whitespace() && cursor.peek()? != '<' {
        return Err(Stop::No);
    }
    let message = cursor.maybe(|rest| rest.until(&["<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|start|>"]));
    if cursor.rest().len() > LONGEST_HEADER && message == Err(Stop::More) {
        return Err(Stop::No);
    }
    let Some((_, "<|message|>")) = message? else {
        // A header without a message says nothing; one that is no header is a text.
        return if scene.mark == "<|start|>" { Ok(Found::Nothing) } else { Err(Stop::No) };
    };
    let header = cursor.since(start);
    cursor.expect("<|message|>")?;
    let word_behind = |mark: &str| {
        let (_, rest) = header.split_once(mark)?;
        rest.trim_start().split(|c: char| c.is_whitespace() || c == '<').next()
    };
    let Some(recipient) = word_behind("to=") else {
        let kind = if word_behind("<|channel|>").or(header.split(['<', ' ']).next()) == Some("analysis") {
            Kind::Reasoning
        } else {
            Kind::Content
        };
        return Ok(Found::Text(kind, ENDS));
    };
    // What goes to a tool of the model's own, such as a browser, is a part of how it reasons.
    let name = match recipient.strip_prefix("functions.") {
        Some(name) => name.to_owned(),
        None if scene.tools.has(recipient) => recipient.to_owned(),
        None => return Ok(Found::Text(Kind::Reasoning, ENDS)),
    };
    cursor.space();
    let nothing = cursor.is_over()? || ENDS.iter().try_fold(false, |found, end| Ok(found || cursor.comes(end)?))?;
    let arguments = if nothing { Map::new() } else { cursor.object()? };
    cursor.space();
    for end in ["<|call|>", "<|end|>", "<|return|>"] {
        if cursor.takes(end)? {
            break;
        }
    }
    Ok(Found::Calls(vec![ToolCall { id: None, name, arguments }]))
}

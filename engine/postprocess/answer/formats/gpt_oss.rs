//! The channels of gpt-oss (harmony): each message says in its header which channel it is in, and a call whom it goes to:
//! `<|start|>assistant<|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>`.

use serde_json::{Map, Value};

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
    let from = cursor.at();
    let message = cursor.maybe(|rest| rest.until(&["<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|start|>"]));
    // However the answer is cut into pieces, a header has an end.
    let is_without = !matches!(message, Ok(Some(_))) && cursor.rest().len() > LONGEST_HEADER + "<|message|>".len();
    if is_without || cursor.at() - from > LONGEST_HEADER {
        return Err(Stop::No);
    }
    match message? {
        Some((_, "<|message|>")) => {}
        Some(_) => return Ok(without_message(cursor, start, scene)),
        // A header that nothing follows says nothing; one that is no header is a text.
        None => return if scene.mark == "<|start|>" { Ok(Found::Nothing) } else { Err(Stop::No) },
    }
    let header = cursor.since(start);
    cursor.expect("<|message|>")?;
    let word_behind = |mark: &str| {
        let (_, rest) = header.split_once(mark)?;
        rest.trim_start().split(|c: char| c.is_whitespace() || c == '<').next()
    };
    let Some(recipient) = word_behind("to=") else {
        let kind = kind_of(word_behind("<|channel|>").or(header.split(['<', ' ']).next()).unwrap_or_default());
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
    let arguments = if nothing { Map::new() } else { arguments(cursor)? };
    cursor.space();
    for end in ["<|call|>", "<|end|>", "<|return|>"] {
        if cursor.takes(end)? {
            break;
        }
    }
    Ok(Found::Calls(vec![ToolCall { id: None, name, arguments }]))
}

/// A message before which its mark was forgotten: what stands behind the name of the channel, up to the end.
fn without_message(cursor: &mut Cursor<'_>, start: usize, scene: &Scene<'_>) -> Found {
    let header = cursor.since(start);
    let behind = match scene.mark {
        "<|channel|>" => 0,
        _ => header.find("<|channel|>").map_or(header.len(), |place| place + "<|channel|>".len()),
    };
    let words = header.get(behind..).unwrap_or_default();
    let channel = ["analysis", "commentary", "final"].into_iter().find(|channel| words.starts_with(channel)).unwrap_or_default();
    cursor.back_to(start + behind + channel.len());
    if words.len() == channel.len() { Found::Nothing } else { Found::Text(kind_of(channel), ENDS) }
}

/// What a channel is for.
fn kind_of(channel: &str) -> Kind {
    if channel == "analysis" { Kind::Reasoning } else { Kind::Content }
}

/// The arguments, which some put into a list, or behind which they write a bracket too many.
fn arguments(cursor: &mut Cursor<'_>) -> Step<Map<String, Value>> {
    cursor.space();
    let _ = cursor.takes("[")?;
    let arguments = cursor.object()?;
    while cursor.takes_behind_space("]")? || cursor.takes_behind_space("}")? {}
    Ok(arguments)
}

//! `<|tool_calls_section_begin|>` around calls, `<|tool_call_begin|>functions.name:0<|tool_call_argument_begin|>{…}<|tool_call_end|>`: Kimi.

use serde_json::{Map, Value};

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
    tools::Tools,
};

pub(super) const FORMAT: Format = Format {
    name: "kimi",
    templates: &[&["<|tool_calls_section_begin|>"], &["<|tool_call_argument_begin|>"]],
    reasoning: &[THINK],
    // Some models forget the mark before all calls.
    marks: &[Mark::anywhere("<|tool_calls_section_begin|>", section), Mark::anywhere("<|tool_call_begin|>", first)],
    // Some write the mark before all calls otherwise.
    silent: &["<|tool_call_section_begin|>", "<|tool_call_section_end|>", "<|tool_calls_section_end|>"],
    ..Format::NONE
};

fn section(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    cursor.space();
    cursor.expect("<|tool_call_begin|>")?;
    calls(cursor, scene)
}

fn first(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    calls(cursor, scene)
}

/// The calls from the id of the first on, with the mark behind all.
fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut calls = vec![call(cursor, scene)?];
    while cursor.takes_behind_space("<|tool_call_begin|>")? {
        calls.push(call(cursor, scene)?);
    }
    let _ = cursor.takes_behind_space("<|tool_calls_section_end|>")?;
    Ok(Found::Calls(calls))
}

fn call(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<ToolCall> {
    let id = cursor.word(|c| c != '<')?.trim();
    cursor.expect("<|tool_call_argument_begin|>")?;
    let arguments = cursor.object()?;
    let name = tool_in(id, &arguments, scene.tools).ok_or(Stop::No)?.to_owned();
    let _ = cursor.takes_behind_space("<|tool_call_end|>")?;
    if name.is_empty() { Err(Stop::No) } else { Ok(ToolCall { id: Some(id.to_owned()), name, arguments }) }
}

/// The tool that an id names: `functions.name:0`, of which models forget parts.
fn tool_in<'t>(id: &'t str, arguments: &Map<String, Value>, tools: &'t Tools) -> Option<&'t str> {
    let name = id.rsplit_once(':').map_or(id, |(name, _)| name);
    let name = name.strip_prefix("functions.").unwrap_or(name);
    // Some write only a number: the tool is the one that has these arguments.
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return tools.only_one_with(arguments);
    }
    let bare = id.strip_prefix("functions").unwrap_or(id).trim_start_matches('.').trim_end_matches(|c: char| c.is_ascii_digit());
    let bare = bare.trim_end_matches([':', '_']);
    Some(if !tools.has(name) && tools.has(bare) { bare } else { name })
}

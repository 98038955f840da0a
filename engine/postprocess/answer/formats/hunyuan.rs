//! `<tool_calls>` around a list of calls, or around `<tool_call>` with names and pairs, and `<answer>` around the answer: Hunyuan.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Kind, Mark, Scene, THINK},
    formats::{hermes, jamba},
};

pub(super) const FORMAT: Format = Format {
    name: "hunyuan",
    templates: &[&["<tool_calls>", "<tool_call>"], &["<tool_calls>", "助手："], &["<tool_calls>", "<answer>"]],
    reasoning: &[THINK],
    marks: &[
        Mark::anywhere("<tool_calls>", calls),
        Mark::at_start("<answer>", |_, _| Ok(Found::Text(Kind::Content, &["</answer>"]))),
        // How the chat template asks the model to begin an answer that calls nothing.
        Mark::at_start("助手：", |_, _| Ok(Found::Nothing)),
    ],
    silent: &["</answer>"],
    ..Format::NONE
};

fn calls(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let mut calls = Vec::new();
    while cursor.takes_behind_space("<tool_call>")? {
        match cursor.maybe(fenced)? {
            Some(call) => calls.push(call),
            None => calls.extend(hermes::calls(cursor, scene)?),
        }
    }
    if calls.is_empty() {
        return jamba::calls(cursor, scene);
    }
    let _ = cursor.takes_behind_space("</tool_calls>")?;
    Ok(Found::Calls(calls))
}

/// A name, and the arguments in a fence.
fn fenced(cursor: &mut Cursor<'_>) -> Step<ToolCall> {
    cursor.space();
    let name = cursor.name()?.to_owned();
    cursor.space();
    cursor.expect("```json")?;
    let arguments = cursor.object()?;
    let _ = cursor.takes_behind_space("```")?;
    let _ = cursor.takes_behind_space("</tool_call>")?;
    if name.is_empty() { Err(Stop::No) } else { Ok(ToolCall { id: None, name, arguments }) }
}

//! Parts of a message behind marks that say what they are: `<|think|>`, `<|content|>`, `<|tool_calls|>`.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
    format::{Format, Found, Kind, Mark, Scene},
};

pub(super) const FORMAT: Format = Format {
    name: "solar-open",
    templates: &[&["<|tool_call:begin|>"]],
    marks: &[
        Mark::anywhere("<|think|>", |_, _| Ok(Found::Text(Kind::Reasoning, &["<|end|>", "<|begin|>", "<|tool_calls|>", "<|content|>"]))),
        Mark::anywhere("<|tool_call:begin|>", call),
        Mark::anywhere("<|begin|>assistant", |_, _| Ok(Found::Nothing)),
    ],
    silent: &["<|content|>", "<|end|>", "<|tool_calls|>", "<|flush|>", "<|calls|>"],
    begins_in_prompt: Some("<|begin|>assistant"),
    ..Format::NONE
};

/// `id<|tool_call:name|>name<|tool_call:args|>{…}<|tool_call:end|>`
fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let id = cursor.word(|c| c != '<')?.trim();
    let id = (!id.is_empty()).then(|| id.to_owned());
    cursor.expect("<|tool_call:name|>")?;
    let name = cursor.word(|c| c != '<')?.trim().to_owned();
    cursor.expect("<|tool_call:args|>")?;
    let arguments = cursor.object()?;
    let _ = cursor.takes_behind_space("<|tool_call:end|>")?;
    Ok(Found::Calls(vec![ToolCall { id, name, arguments }]))
}

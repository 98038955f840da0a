//! A name behind the mark of the assistant, and the arguments in the next line: GLM 4 before 4.5.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Format, Found, Mark, Scene, THINK},
};

pub(super) const FORMAT: Format = Format {
    name: "glm4",
    templates: &[&["请使用 Json 格式表示调用的参数"]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<|assistant|>", read)],
    silent: &["<|observation|>"],
    begins_in_prompt: Some("<|assistant|>"),
};

fn read(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let call = cursor.maybe(|rest| {
        let name = rest.name()?.to_owned();
        rest.expect("\n")?;
        let call = ToolCall { id: None, name, arguments: rest.object()? };
        if scene.is_call(&call) { Ok(call) } else { Err(Stop::No) }
    })?;
    Ok(call.map_or(Found::Nothing, |call| Found::Calls(vec![call])))
}

//! A turn of its own for a call: `<|message_sep|>` and `function call<|role_sep|>{…}`; since GigaChat 3.1 `<|function_call|>{…}`.

use crate::postprocess::answer::{
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene},
    forms::json,
};

pub(super) const FORMAT: Format = Format {
    name: "gigachat3",
    templates: &[&["function call", "<|role_sep|>"], &["<|function_call|>", "<|role_sep|>"]],
    marks: &[
        Mark::anywhere("<|message_sep|>", turn),
        Mark::anywhere("function call<|role_sep|>", call),
        Mark::anywhere("<|function_call|>", call),
    ],
    ..Format::NONE
};

fn turn(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    if cursor.takes_behind_space("function call<|role_sep|>")? { call(cursor, scene) } else { Ok(Found::Nothing) }
}

fn call(cursor: &mut Cursor<'_>, _: &Scene<'_>) -> Step<Found> {
    let calls = json::calls(cursor)?;
    let _ = cursor.takes_behind_space("<|message_sep|>")?;
    Ok(Found::Calls(calls))
}

//! Answers that are nothing but calls, without marks: where tools were given, and only these are called.

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Found, Scene},
    forms::{json, python},
};

/// A list of calls as Python or as JSON writes it, behind its first bracket.
pub(in crate::postprocess::answer) fn list(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    if scene.tools.is_empty() || !scene.is_free {
        return Err(Stop::No);
    }
    cursor.back_to(cursor.at() - scene.mark.len());
    let calls = match cursor.maybe(python::list)? {
        Some(calls) => calls,
        None => json::calls(cursor)?,
    };
    whole(cursor, scene, calls)
}

/// The calls that an answer is, where nothing follows them.
pub(in crate::postprocess::answer) fn whole(cursor: &mut Cursor<'_>, scene: &Scene<'_>, calls: Vec<ToolCall>) -> Step<Found> {
    cursor.space();
    let are_calls = !calls.is_empty() && calls.iter().all(|call| scene.is_call(call));
    if are_calls && scene.is_over(cursor)? { Ok(Found::Calls(calls)) } else { Err(Stop::No) }
}

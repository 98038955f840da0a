//! Calls inside of a Markdown fence, which then is no part of the answer.

use super::AnswerReader;
use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Found, Mark, Place},
};

/// What a fence begins and ends with.
pub(in crate::postprocess::answer) const FENCE: &str = "```";

impl AnswerReader {
    /// The calls in the fence that a text begins with, where there is nothing else in it, and the place behind the fence.
    pub(super) fn fenced(&self, text: &str, whole: bool) -> Step<(Vec<ToolCall>, usize)> {
        let mut cursor = Cursor::behind_mark(text, 0, FENCE.len(), whole);
        // The name of a language.
        cursor.word(|c| c.is_alphanumeric() || "_+-".contains(c))?;
        let mut calls = Vec::new();
        loop {
            cursor.space();
            if cursor.is_over()? || cursor.takes(FENCE)? {
                return if calls.is_empty() { Err(Stop::No) } else { Ok((calls, cursor.at())) };
            }
            let mark = self.mark_at(&cursor)?;
            let (found, end) = self.read_at(mark, text, cursor.at(), whole, Some(FENCE));
            let Found::Calls(more) = found? else { return Err(Stop::No) };
            calls.extend(more);
            cursor.back_to(end);
        }
    }

    /// The mark of the format that comes next, of several the longest.
    fn mark_at(&self, cursor: &Cursor<'_>) -> Step<&'static Mark> {
        let mut found: Option<&'static Mark> = None;
        for mark in self.format.format.marks.iter().filter(|mark| mark.place != Place::Start || self.before.is_start) {
            if cursor.comes(mark.text)? && found.is_none_or(|found| found.text.len() < mark.text.len()) {
                found = Some(mark);
            }
        }
        found.ok_or(Stop::No)
    }
}

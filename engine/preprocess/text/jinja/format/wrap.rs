//! `textwrap.wrap`, as `wordwrap` calls it.

use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::text::is_space;

/// How lines are wrapped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapping {
    pub(crate) width: i64,
    pub(crate) break_long_words: bool,
    pub(crate) break_on_hyphens: bool,
}

/// The spaces that `textwrap` knows.
fn is_blank(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_letter(c: char) -> bool {
    is_word(c) && !c.is_numeric()
}

/// The lines of a paragraph.
pub(crate) fn wrap(budget: &Budget, text: &str, wrapping: Wrapping) -> Result<Vec<String>> {
    budget.make(8 * text.len())?;
    let chars: Vec<char> = text.chars().collect();
    let mut chunks = if wrapping.break_on_hyphens { hyphenated(&chars) } else { spaced(&chars) };
    if wrapping.width <= 0 {
        return Err(Error::value_error(format!("invalid width {} (must be > 0)", wrapping.width)));
    }
    let width = usize::try_from(wrapping.width).unwrap_or(usize::MAX);
    chunks.reverse();
    let is_space_only = |chunk: &&[char]| chunk.iter().all(|c| is_space(*c));
    let mut lines: Vec<String> = Vec::new();
    while !chunks.is_empty() {
        let mut line: Vec<&[char]> = Vec::new();
        let mut length = 0;
        if !lines.is_empty() && chunks.last().is_some_and(is_space_only) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.len() <= width) {
            length += chunk.len();
            line.push(chunk);
        }
        if chunks.last().is_some_and(|chunk| chunk.len() > width) {
            long_word(&mut chunks, &mut line, width - length, wrapping);
        }
        if line.last().is_some_and(is_space_only) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.into_iter().flatten().copied().collect());
        }
    }
    Ok(lines)
}

/// Takes the part of a long word that still fits.
fn long_word<'a>(chunks: &mut Vec<&'a [char]>, line: &mut Vec<&'a [char]>, room: usize, wrapping: Wrapping) {
    let Some(chunk) = chunks.pop() else { return };
    if !wrapping.break_long_words {
        if line.is_empty() {
            line.push(chunk);
        } else {
            chunks.push(chunk);
        }
        return;
    }
    let mut end = room;
    if wrapping.break_on_hyphens && chunk.len() > room {
        let hyphen = chunk[..room].iter().rposition(|c| *c == '-');
        if let Some(hyphen) = hyphen.filter(|hyphen| *hyphen > 0 && chunk[..*hyphen].iter().any(|c| *c != '-')) {
            end = hyphen + 1;
        }
    }
    let (fits, rest) = chunk.split_at(end.min(chunk.len()));
    line.push(fits);
    chunks.push(rest);
}

/// Words and the spaces between them.
fn spaced(text: &[char]) -> Vec<&[char]> {
    text.chunk_by(|left, right| is_blank(*left) == is_blank(*right)).collect()
}

/// As `spaced`, and words may be parted behind hyphens and at dashes.
fn hyphenated(text: &[char]) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = chunk_end(text, start).max(start + 1);
        chunks.push(&text[start..end]);
        start = end;
    }
    chunks
}

fn chunk_end(text: &[char], start: usize) -> usize {
    let at = |index: usize| text.get(index).copied();
    let before = |index: usize, back: usize| index.checked_sub(back).and_then(at);
    let run = |from: usize, is: fn(char) -> bool| text[from..].iter().position(|c| !is(*c)).map_or(text.len(), |length| from + length);
    if is_blank(text[start]) {
        return run(start, is_blank);
    }
    let is_punctuated = |c: char| is_word(c) || "!\"'&.,?".contains(c);
    // A dash of two or more hyphens behind a word, before another.
    let dash = |from: usize| {
        // What stands before is looked at first: of many hyphens only the first goes through all of them.
        before(from, 1).filter(|c| is_punctuated(*c))?;
        let end = run(from, |c| c == '-');
        (end >= from + 2 && at(end).is_some_and(is_word)).then_some(end)
    };
    if let Some(end) = dash(start) {
        return end;
    }
    for end in start + 1..=text.len() {
        if at(end).is_none_or(is_blank) {
            return end;
        }
        let letter = |index: Option<char>| index.is_some_and(is_letter);
        let hyphen = before(end, 1) == Some('-') && end > start + 1;
        let behind_word = letter(before(end, 2)) && (letter(before(end, 3)) || (before(end, 3) == Some('-') && letter(before(end, 4))));
        let before_word = letter(at(end)) && (letter(at(end + 1)) || (at(end + 1) == Some('-') && letter(at(end + 2))));
        if hyphen && behind_word && before_word {
            return end;
        }
        if dash(end).is_some() {
            return end;
        }
    }
    text.len()
}

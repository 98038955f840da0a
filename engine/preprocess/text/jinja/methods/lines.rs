//! Cutting strings apart.

use crate::preprocess::text::jinja::text::{is_line_end, is_space};

/// `split(sep, maxsplit)`; no separator splits at runs of spaces and gives no empty pieces.
pub(crate) fn split<'a>(text: &'a str, separator: Option<&str>, limit: usize) -> Vec<&'a str> {
    let Some(separator) = separator else { return split_spaces(text, limit) };
    text.splitn(limit.saturating_add(1), separator).collect()
}

fn split_spaces(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if pieces.len() == limit { None } else { rest.find(is_space) };
        let Some(end) = end else {
            // The last piece keeps the spaces behind it only when the limit cut it.
            pieces.push(rest);
            break;
        };
        pieces.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    pieces
}

/// `rsplit(sep, maxsplit)`
pub(crate) fn rsplit<'a>(text: &'a str, separator: Option<&str>, limit: usize) -> Vec<&'a str> {
    let mut pieces: Vec<&str> = match separator {
        Some(separator) => text.rsplitn(limit.saturating_add(1), separator).collect(),
        None => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_end_matches(is_space);
            while !rest.is_empty() {
                let cut = if pieces.len() == limit { None } else { rest.char_indices().rev().find(|(_, c)| is_space(*c)) };
                let Some((start, space)) = cut else {
                    pieces.push(rest);
                    break;
                };
                pieces.push(&rest[start + space.len_utf8()..]);
                rest = rest[..start].trim_end_matches(is_space);
            }
            pieces
        }
    };
    pieces.reverse();
    pieces
}

/// `splitlines(keepends)`
pub(crate) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (end, next) = match rest.find(is_line_end) {
            None => (rest.len(), rest.len()),
            Some(end) if rest[end..].starts_with("\r\n") => (end, end + 2),
            Some(end) => (end, end + rest[end..].chars().next().map_or(0, char::len_utf8)),
        };
        lines.push(&rest[..if keep_ends { next } else { end }]);
        rest = &rest[next..];
    }
    lines
}

/// Which ends of a string are stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Both,
    Start,
    End,
}

/// `strip`, `lstrip` and `rstrip`, of spaces or of a set of characters.
pub(crate) fn strip<'a>(text: &'a str, set: Option<&str>, ends: Ends) -> &'a str {
    let stripped = |c: char| set.map_or_else(|| is_space(c), |set| set.contains(c));
    match ends {
        Ends::Both => text.trim_matches(stripped),
        Ends::Start => text.trim_start_matches(stripped),
        Ends::End => text.trim_end_matches(stripped),
    }
}

//! Python's string functions, where Rust's answer differently.

use super::python::is_space;

/// `split(sep, maxsplit)`; no separator splits at runs of spaces and gives no empty pieces.
pub(super) fn split(text: &str, separator: Option<&str>, limit: usize) -> Vec<String> {
    let Some(separator) = separator else { return split_spaces(text, limit) };
    text.splitn(limit.saturating_add(1), separator).map(str::to_owned).collect()
}

fn split_spaces(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if pieces.len() == limit { None } else { rest.find(is_space) };
        let Some(end) = end else {
            // The last piece keeps the spaces behind it only when the limit cut it.
            pieces.push(rest.to_owned());
            break;
        };
        pieces.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(is_space);
    }
    pieces
}

/// `rsplit(sep, maxsplit)`
pub(super) fn rsplit(text: &str, separator: Option<&str>, limit: usize) -> Vec<String> {
    let mut pieces: Vec<String> = match separator {
        Some(separator) => text.rsplitn(limit.saturating_add(1), separator).map(str::to_owned).collect(),
        None => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_end_matches(is_space);
            while !rest.is_empty() {
                let cut = if pieces.len() == limit { None } else { rest.char_indices().rev().find(|(_, c)| is_space(*c)) };
                let Some((start, space)) = cut else {
                    pieces.push(rest.to_owned());
                    break;
                };
                pieces.push(rest[start + space.len_utf8()..].to_owned());
                rest = rest[..start].trim_end_matches(is_space);
            }
            pieces
        }
    };
    pieces.reverse();
    pieces
}

/// `splitlines(keepends)`
pub(super) fn splitlines(text: &str, keep_ends: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let ends = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let (end, next) = match rest.find(ends) {
            None => (rest.len(), rest.len()),
            Some(end) if rest[end..].starts_with("\r\n") => (end, end + 2),
            Some(end) => (end, end + rest[end..].chars().next().map_or(0, char::len_utf8)),
        };
        lines.push(rest[..if keep_ends { next } else { end }].to_owned());
        rest = &rest[next..];
    }
    lines
}

/// Which ends of a string are stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Both,
    Start,
    End,
}

/// `strip`, `lstrip` and `rstrip`, of spaces or of a set of characters.
pub(super) fn strip<'a>(text: &'a str, set: Option<&str>, ends: Ends) -> &'a str {
    let stripped = |c: char| set.map_or_else(|| is_space(c), |set| set.contains(c));
    match ends {
        Ends::Both => text.trim_matches(stripped),
        Ends::Start => text.trim_start_matches(stripped),
        Ends::End => text.trim_end_matches(stripped),
    }
}

/// `capitalize()`
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| titled(first) + &chars.as_str().to_lowercase())
}

/// `title()`: a letter that follows no letter is a capital.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        let cased = c.is_lowercase() || c.is_uppercase();
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.push_str(&titled(c));
        }
        inside = cased;
    }
    out
}

/// The title case of a letter; that of ß is Ss.
fn titled(c: char) -> String {
    let upper: String = c.to_uppercase().collect();
    let mut chars = upper.chars();
    chars.next().map_or(String::new(), |first| first.to_string() + &chars.as_str().to_lowercase())
}

/// `swapcase()`
pub(super) fn swapcase(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() }).collect()
}

/// `indent(width, first, blank)` of Jinja.
pub(super) fn indent(text: &str, indentation: &str, first: bool, blank: bool) -> String {
    let mut out = String::new();
    for (index, line) in splitlines(&(text.to_owned() + "\n"), false).iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(indentation);
        }
        out.push_str(line);
    }
    out
}

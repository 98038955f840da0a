//! Patterns that only a few texts match, `^(a|b)$`, and those that all others do.

use std::collections::BTreeMap;

use super::ahead::{alternatives, literal, marks};
use super::patterns::{ANYTHING, NOTHING, class, push};

/// The texts that match a pattern, where it lists them.
pub(super) fn texts(pattern: &str) -> Option<Vec<String>> {
    let parts = alternatives(pattern).into_iter().map(|part| part.strip_prefix('^')).collect::<Option<Vec<_>>>()?;
    let listed = parts.into_iter().map(|part| match part.strip_suffix('$').and_then(group) {
        Some(inside) => alternatives(inside).into_iter().map(|text| literal(text).filter(|(_, ends)| !ends)).collect::<Option<Vec<_>>>(),
        None => Some(vec![literal(part).filter(|(_, ends)| *ends)?]),
    });
    Some(listed.collect::<Option<Vec<_>>>()?.into_iter().flatten().map(|(text, _)| text).collect())
}

/// The inside of a group that is all of a pattern.
fn group(pattern: &str) -> Option<&str> {
    let inside = pattern.strip_prefix('(')?;
    let inside = inside.strip_prefix("?:").unwrap_or(inside);
    let end = marks(inside).find(|(_, mark, depth)| *mark == ')' && *depth < 0)?.0;
    inside.get(..end).filter(|_| end + 1 == inside.len())
}

/// A pattern of the engine for what is none of some texts; `None` where they are too long for one.
pub(super) fn none_of(texts: &[&str]) -> Option<String> {
    none_beginning_with(&texts.iter().map(|text| ((*text).to_owned(), true)).collect::<Vec<_>>())
}

/// A pattern of the engine for what does not begin with some texts, or is none of those that are marked as whole; `None` where they are
/// too long for one.
pub(super) fn none_beginning_with(texts: &[(String, bool)]) -> Option<String> {
    // Each character is a group in the one before it.
    let fits = texts.iter().all(|(text, _)| text.chars().count() <= 60) && texts.iter().map(|(text, _)| text.len()).sum::<usize>() <= 4_000;
    let texts: Vec<(&str, bool)> = texts.iter().map(|(text, whole)| (text.as_str(), *whole)).collect();
    fits.then(|| format!("^{}$", other_than(&texts)))
}

fn other_than(texts: &[(&str, bool)]) -> String {
    if texts.contains(&("", false)) {
        return NOTHING.to_owned();
    }
    let mut begins: BTreeMap<char, Vec<(&str, bool)>> = BTreeMap::new();
    for (text, whole) in texts {
        let mut chars = text.chars();
        if let Some(first) = chars.next() {
            begins.entry(first).or_default().push((chars.as_str(), *whole));
        }
    }
    let mut firsts = String::new();
    let mut ways = Vec::new();
    if !texts.contains(&("", true)) {
        ways.push(String::new());
    }
    for (first, rests) in &begins {
        push(&mut firsts, *first);
        if !rests.contains(&("", false)) {
            let mut way = String::new();
            push(&mut way, *first);
            ways.push(format!("{way}{}", other_than(rests)));
        }
    }
    let other = if firsts.is_empty() { ANYTHING.to_owned() } else { class(&firsts, true) };
    ways.push(format!("{other}{ANYTHING}*"));
    format!("(?:{})", ways.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_listed() {
        let cases: [(&str, Option<&[&str]>); 11] = [
            ("^score$", Some(&["score"])),
            ("^(a|b\\.)$", Some(&["a", "b."])),
            ("^(?:a|)$", Some(&["a", ""])),
            ("^a$|^b$", Some(&["a", "b"])),
            ("^$", Some(&[""])),
            ("^a", None),
            ("a$", None),
            ("^a+$", None),
            ("^(a|b)c$", None),
            ("^(a$)$", None),
            ("^a$|b", None),
        ];
        for (pattern, wanted) in cases {
            let wanted = wanted.map(|list| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
            assert_eq!(texts(pattern), wanted, "{pattern}");
        }
    }
}

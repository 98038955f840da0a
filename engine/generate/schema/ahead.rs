//! Patterns that look ahead where they begin, as patterns that hold together: `^(?=.*[0-9])(?!a).{8}$` is `^.*[0-9]`, what does not begin
//! with an a, and `^.{8}$`.

use super::finite::none_beginning_with;
use super::patterns::{Reader, translated};

/// The patterns of the engine that hold together where one does.
///
/// # Errors
/// What the engine has not.
pub(super) fn apart(pattern: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = pattern.strip_prefix('^').unwrap_or_default();
    while let Some((inside, after)) = group(rest) {
        let Some(one) = (match rest.get(..3) {
            Some("(?=") => translated(&format!("^(?:{inside})")).ok(),
            _ => opposite(inside),
        }) else {
            break;
        };
        found.push(one);
        rest = after;
    }
    // An alternative is one to all before it.
    if found.is_empty() || has_alternatives(rest) {
        return Ok(vec![translated(pattern)?]);
    }
    found.push(translated(&format!("^{rest}"))?);
    Ok(found)
}

/// The inside of a group that looks ahead and what is behind it, where a pattern begins with one.
fn group(pattern: &str) -> Option<(&str, &str)> {
    let inside = pattern.strip_prefix("(?=").or_else(|| pattern.strip_prefix("(?!"))?;
    let end = marks(inside).find(|(_, mark, depth)| *mark == ')' && *depth < 0)?.0;
    let after = inside.get(end + 1..)?;
    // One that is repeated is another matter.
    (!after.starts_with(['*', '+', '?', '{'])).then_some((inside.get(..end)?, after))
}

fn has_alternatives(pattern: &str) -> bool {
    marks(pattern).any(|(_, mark, depth)| mark == '|' && depth == 0)
}

/// The marks of a pattern that are no characters of texts: where they are, and how deep in groups, themselves counted.
pub(super) fn marks(pattern: &str) -> impl Iterator<Item = (usize, char, i32)> {
    let (mut escaped, mut in_class, mut depth) = (false, false, 0);
    pattern.char_indices().filter_map(move |(place, c)| {
        let is_escape = !escaped && c == '\\';
        let plain = escaped || is_escape;
        escaped = is_escape;
        match c {
            _ if plain => return None,
            ']' => in_class = false,
            _ if in_class => return None,
            '[' => in_class = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        Some((place, c, depth))
    })
}

/// What stands between the bars of a pattern.
pub(super) fn alternatives(pattern: &str) -> Vec<&str> {
    let ends: Vec<usize> = marks(pattern).filter(|(_, mark, depth)| *mark == '|' && *depth == 0).map(|(place, ..)| place).collect();
    let starts = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    starts.zip(ends.iter().copied().chain([pattern.len()])).filter_map(|(start, end)| pattern.get(start..end)).collect()
}

/// A pattern for texts that do not begin with what a simple one says.
fn opposite(inside: &str) -> Option<String> {
    let parts = alternatives(inside);
    if let Some(texts) = parts.iter().map(|part| literal(part)).collect::<Option<Vec<_>>>() {
        return none_beginning_with(&texts);
    }
    let [one] = parts.as_slice() else { return None };
    match one.strip_prefix(".*").or_else(|| one.strip_prefix("[\\s\\S]*")) {
        Some(rest) => {
            let (first, rest) = atom(rest)?;
            if rest.is_empty() {
                return Some(format!("^[^{first}]*$"));
            }
            let (second, rest) = atom(rest)?;
            (rest.is_empty() && !first.starts_with('[') && !second.starts_with('[')).then(|| match first == second {
                true => format!("^(?:{first}?[^{first}])*{first}?$"),
                false => format!("^(?:[^{first}]|{first}+[^{first}{second}])*{first}*$"),
            })
        }
        // None but these to the end, or one of these.
        None => {
            let (class, rest) = atom(one)?;
            match rest {
                "" => Some(format!("^(?:[^{class}]|$)")),
                "*$" => Some(format!("[^{class}]")),
                _ => None,
            }
        }
    }
}

/// The characters of a pattern that has nothing else, and whether they are all of the text.
pub(super) fn literal(pattern: &str) -> Option<(String, bool)> {
    let (mut rest, mut text) = (pattern, String::new());
    while !rest.is_empty() && rest != "$" {
        let mut reader = Reader::new(rest);
        text.push(reader.character()?);
        rest = reader.rest();
    }
    Some((text, rest == "$"))
}

/// The first of a pattern in the engine's words, if it is a character or a class.
fn atom(pattern: &str) -> Option<(String, &str)> {
    let mut reader = Reader::new(pattern);
    let atom = reader.atom()?;
    Some((atom, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_look_ahead_are_apart() {
        let cases: [(&str, Option<&[&str]>); 14] = [
            ("^ab$", Some(&["^ab$"])),
            ("^(?=a|b)c", Some(&["^(?:a|b)", "^c"])),
            (
                r"^(?=.*\d)(?=.*[A-Z(]).{8,}$",
                Some(&[r"^(?:[^\n\r\x{2028}\x{2029}]*[0-9])", r"^(?:[^\n\r\x{2028}\x{2029}]*[A-Z\(])", r"^[^\n\r\x{2028}\x{2029}]{8,}$"]),
            ),
            (r"^(?!\.)a", Some(&[r"^(?:|[^\.][\x{0}-\x{10FFFF}]*)$", "^a"])),
            (r"^(?!.*\.\.)a", Some(&[r"^(?:\.?[^\.])*\.?$", "^a"])),
            ("^(?!.*ab)c", Some(&["^(?:[^a]|a+[^ab])*a*$", "^c"])),
            (
                r"^(?!\s*$).+",
                Some(&[
                    r"[^[\t\n\x0B\x0C\r\x20\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}]]",
                    r"^[^\n\r\x{2028}\x{2029}]+",
                ]),
            ),
            ("^(?![0-9])a", Some(&["^(?:[^[0-9]]|$)", "^a"])),
            ("^(?!.*[xy])a", Some(&["^[^[xy]]*$", "^a"])),
            ("^(?=a)b|c", None),
            ("^(?!(a|b)*)c", None),
            ("a(?=b)", None),
            ("^(?=a)?b", None),
            ("^(?!.*abc)d", None),
        ];
        for (pattern, wanted) in cases {
            let wanted = wanted.map(|list| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
            assert_eq!(apart(pattern).ok(), wanted, "{pattern}");
        }
    }
}

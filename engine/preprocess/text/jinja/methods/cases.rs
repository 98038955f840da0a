//! Upper and lower case.

use crate::preprocess::text::jinja::text::classes;

/// Whether a letter has a case at all.
pub(super) fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_title(c)
}

/// Digraphs whose first half is a capital.
fn is_title(c: char) -> bool {
    matches!(c, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}'
        | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}

/// `capitalize()`
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    // The end of a word shows in its last letter (ς), so that the rest is lowered with what stands before it.
    chars.next().map_or(String::new(), |first| titled(first) + &lowered_behind(first, chars.as_str()))
}

fn lowered_behind(first: char, rest: &str) -> String {
    let whole = format!("{first}{rest}").to_lowercase();
    let skipped: usize = first.to_lowercase().map(char::len_utf8).sum();
    whole.get(skipped..).map_or_else(|| rest.to_lowercase(), str::to_owned)
}

/// `title()`: a letter that follows no letter is a capital.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        let cased = is_cased(c);
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
    match c {
        '\u{1c4}'..='\u{1c6}' => "\u{1c5}".to_owned(),
        '\u{1c7}'..='\u{1c9}' => "\u{1c8}".to_owned(),
        '\u{1ca}'..='\u{1cc}' => "\u{1cb}".to_owned(),
        '\u{1f1}'..='\u{1f3}' => "\u{1f2}".to_owned(),
        _ => {
            let upper: String = c.to_uppercase().collect();
            let mut chars = upper.chars();
            chars.next().map_or(String::new(), |first| first.to_string() + &chars.as_str().to_lowercase())
        }
    }
}

/// `swapcase()`
pub(super) fn swapcase(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() }).collect()
}

/// `casefold()`: lower case, and letters that have no lower case alone.
pub(super) fn casefold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ς' => out.push('σ'),
            'ſ' => out.push('s'),
            'ẞ' => out.push_str("ss"),
            'µ' => out.push('μ'),
            _ if !c.is_ascii() && c.to_uppercase().count() > 1 => {
                out.extend(c.to_uppercase().flat_map(char::to_lowercase));
            }
            _ => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// A `str.is…` method.
pub(super) fn is(text: &str, name: &str) -> bool {
    let all = |class: &dyn Fn(char) -> bool| !text.is_empty() && text.chars().all(class);
    let classes = classes();
    match name {
        "isalnum" => all(&|c| classes.letter(c) || classes.decimal(c) || classes.digit(c) || classes.numeric(c)),
        "isalpha" => all(&|c| classes.letter(c)),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(&|c| classes.decimal(c)),
        "isdigit" => all(&|c| classes.digit(c)),
        "isnumeric" => all(&|c| classes.numeric(c)),
        "isidentifier" => crate::preprocess::text::jinja::syntax::is_identifier(text),
        "isprintable" => text.chars().all(|c| classes.printable(c)),
        "isspace" => all(&crate::preprocess::text::jinja::text::is_space),
        "islower" => text.chars().any(is_cased) && !text.chars().any(|c| c.is_uppercase() || is_title(c)),
        "isupper" => text.chars().any(is_cased) && !text.chars().any(|c| c.is_lowercase() || is_title(c)),
        _ => is_titled(text),
    }
}

fn is_titled(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for c in text.chars() {
        let starts = c.is_uppercase() || is_title(c);
        if starts == inside && is_cased(c) {
            return false;
        }
        inside = is_cased(c);
        any |= inside;
    }
    any
}

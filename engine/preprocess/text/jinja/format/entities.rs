//! Character references of HTML, as `html.unescape` reads them. `entities.txt` is the standard's table: names, a star where the semicolon may
//! be missing, and code points.

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("entities.txt");
/// What the standard reads for code points of Windows-1252.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
/// No name is longer.
const LONGEST: usize = 32;

/// The text of a name, and whether it may stand without a semicolon.
fn names() -> &'static HashMap<&'static str, (String, bool)> {
    static NAMES: OnceLock<HashMap<&'static str, (String, bool)>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let read = |line: &'static str| {
            let (name, codes) = line.split_once(' ')?;
            let text = codes.split(' ').filter_map(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?)).collect();
            Some((name.trim_end_matches('*'), (text, name.ends_with('*'))))
        };
        TABLE.lines().filter_map(read).collect()
    })
}

/// `html.unescape(text)`
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let length = match rest.strip_prefix('#') {
            Some(number) => numeric(number, &mut out).map(|length| length + 1),
            None => named(rest, &mut out),
        };
        match length {
            Some(length) => rest = &rest[length..],
            None => out.push('&'),
        }
    }
    out + rest
}

fn numeric(text: &str, out: &mut String) -> Option<usize> {
    let (prefix, radix) = if text.starts_with(['x', 'X']) { (1, 16) } else { (0, 10) };
    let digits = text[prefix..].find(|c: char| !c.is_digit(radix)).unwrap_or(text.len() - prefix);
    if digits == 0 {
        return None;
    }
    let end = prefix + digits;
    let code = u32::from_str_radix(&text[prefix..end], radix).unwrap_or(u32::MAX);
    match code {
        0 => out.push('\u{fffd}'),
        13 => out.push('\r'),
        0x80..=0x9f => out.push(WINDOWS[(code - 0x80) as usize]),
        1..=8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => {}
        code if code <= 0x10_ffff && code & 0xfffe == 0xfffe => {}
        code => out.push(char::from_u32(code).unwrap_or('\u{fffd}')),
    }
    Some(end + usize::from(text[end..].starts_with(';')))
}

fn named(text: &str, out: &mut String) -> Option<usize> {
    let mut length = 0;
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST || matches!(c, '\t' | '\n' | '\u{c}' | ' ' | '<' | '&' | '#' | ';') {
            break;
        }
        length += c.len_utf8();
    }
    if length == 0 {
        return None;
    }
    if text[length..].starts_with(';')
        && let Some((found, _)) = names().get(&text[..length])
    {
        out.push_str(found);
        return Some(length + 1);
    }
    let ends = text[..length].char_indices().map(|(index, c)| index + c.len_utf8()).rev();
    for end in ends.filter(|end| *end > 1) {
        if let Some((found, true)) = names().get(&text[..end]) {
            out.push_str(found);
            return Some(end);
        }
    }
    None
}

//! Numbers, names and strings as Jinja reads them.

use num_bigint::BigInt;

use super::token::TokenKind;
use crate::preprocess::text::jinja::text::classes;

/// Python refuses to read more digits.
const DIGITS: usize = 4300;

type Number = (usize, Result<TokenKind, String>);

/// The length of digits with single underscores between them.
fn digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let digit = byte.is_ascii_digit();
        let joint = *byte == b'_' && length > 0 && bytes[length - 1] != b'_' && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
        if !digit && !joint {
            break;
        }
        length += 1;
    }
    length
}

/// A float that stands here: digits with a fraction, an exponent or both.
pub(super) fn float(text: &str) -> Option<Number> {
    let whole = digits(text);
    if whole == 0 {
        return None;
    }
    let mut length = whole;
    if let Some(fraction) = text[length..].strip_prefix('.').map(digits).filter(|fraction| *fraction > 0) {
        length += 1 + fraction;
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let digits = digits(&exponent[sign..]);
        if digits > 0 {
            length += 1 + sign + digits;
        }
    }
    if length == whole {
        return None;
    }
    let number = text[..length].replace('_', "").parse().map(TokenKind::Float).map_err(|_| "invalid number".to_owned());
    Some((length, number))
}

/// An integer that stands here; a zero takes no other digits behind it.
pub(super) fn integer(text: &str) -> Option<Number> {
    let prefixed = |radix: u32| {
        let body = &text[2..];
        let mut length = 0;
        let bytes = body.as_bytes();
        while let Some(byte) = bytes.get(length) {
            let is_digit = |byte: &u8| (*byte as char).is_digit(radix);
            let joint = *byte == b'_' && bytes.get(length + 1).is_some_and(is_digit);
            if !is_digit(byte) && !joint {
                break;
            }
            length += 1;
        }
        (length > 0).then(|| (2 + length, parse(&body[..length], radix)))
    };
    let radix = match text.as_bytes() {
        [b'0', b'b' | b'B', ..] => Some(2),
        [b'0', b'o' | b'O', ..] => Some(8),
        [b'0', b'x' | b'X', ..] => Some(16),
        _ => None,
    };
    if let Some(number) = radix.and_then(prefixed) {
        return Some(number);
    }
    let length = digits(text);
    if length == 0 {
        return None;
    }
    if text.starts_with('0') {
        let bytes = text.as_bytes();
        let mut zeros = 1;
        while zeros < length && (bytes[zeros] == b'0' || (bytes[zeros] == b'_' && bytes.get(zeros + 1) == Some(&b'0'))) {
            zeros += 1;
        }
        return Some((zeros, Ok(TokenKind::Integer(BigInt::ZERO))));
    }
    Some((length, parse(&text[..length], 10)))
}

fn parse(digits: &str, radix: u32) -> Result<TokenKind, String> {
    let digits = digits.replace('_', "");
    if radix == 10 && digits.len() > DIGITS {
        return Err(format!("Exceeds the limit ({DIGITS} digits) for integer string conversion"));
    }
    BigInt::parse_bytes(digits.as_bytes(), radix).map(TokenKind::Integer).ok_or_else(|| "invalid number".to_owned())
}

/// A character of a name.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { c.is_alphanumeric() || classes().mark(c) || c == '·' }
}

/// `str.isidentifier`
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let Some(first) = chars.next() else { return false };
    let starts = first == '_' || first.is_alphabetic();
    starts && chars.all(|c| is_word(c) && (c.is_ascii() || c.is_alphabetic() || classes().mark(c) || classes().decimal(c) || c == '·'))
}

/// The length of a string that stands here, with its quotes.
pub(super) fn string(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        if c == '\\' {
            chars.next()?;
        } else if c == quote {
            return Some(index + 1);
        }
    }
    None
}

/// What a string says, its escapes read as Python reads them.
pub(super) fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        out.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let Some(c) = rest.chars().next() else { return Err("\\ at end of string".to_owned()) };
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(c),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '0'..='7' => {
                let length = 1 + rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let digits = format!("{c}{}", &rest[..length - 1]);
                rest = &rest[length - 1..];
                out.extend(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32));
            }
            'x' | 'u' | 'U' => {
                let width = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits = rest.get(..width).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let Some(digits) = digits else { return Err(format!("truncated \\{c} escape")) };
                let read = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                out.push(read.ok_or("illegal Unicode character")?);
                rest = &rest[width..];
            }
            'N' => return Err("unknown Unicode character name".to_owned()),
            c if c.is_ascii() => out.extend(['\\', c]),
            // Python writes such a character as an escape before it reads escapes, which the backslash then takes apart.
            c => match c as u32 {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push_str(rest);
    Ok(out)
}

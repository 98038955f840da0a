//! The methods of bytes, which `encode` gives.

use std::sync::Arc;

use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::{Thing, Value};

pub(super) const METHODS: &[&str] = &[
    "capitalize",
    "decode",
    "hex",
    "isalnum",
    "isalpha",
    "isascii",
    "isdigit",
    "islower",
    "isspace",
    "istitle",
    "isupper",
    "lower",
    "swapcase",
    "title",
    "upper",
];

/// Encodings that a text may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

fn encoding(name: Option<&str>) -> Result<Encoding> {
    let name = name.unwrap_or("utf-8");
    match name.to_ascii_lowercase().replace(['-', '_', ' '], "").as_str() {
        "utf8" | "u8" => Ok(Encoding::Utf8),
        "ascii" | "usascii" | "646" => Ok(Encoding::Ascii),
        "latin1" | "latin" | "iso88591" | "l1" | "8859" => Ok(Encoding::Latin1),
        _ => Err(Error::new(Kind::Lookup, format!("unknown encoding: {name}"))),
    }
}

pub(crate) fn value(machine: &Machine<'_>, bytes: Vec<u8>) -> Result<Value> {
    machine.budget.make(bytes.len())?;
    Value::object(Thing::Bytes(bytes.into()))
}

/// `str.encode(encoding="utf-8", errors="strict")`
pub(super) fn encode(machine: &Machine<'_>, text: &str, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("encode", ["encoding", "errors"], 0)?;
    let (encoding, errors) = (encoding(bound.text(0)?)?, bound.text(1)?.unwrap_or("strict"));
    let limit = match encoding {
        Encoding::Utf8 => return value(machine, text.as_bytes().to_vec()),
        Encoding::Ascii => 0x80,
        Encoding::Latin1 => 0x100,
    };
    machine.budget.work(16 * text.len())?;
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        let code = c as u32;
        if code < limit {
            bytes.push(code as u8);
            continue;
        }
        match errors {
            "ignore" => {}
            "replace" => bytes.push(b'?'),
            "xmlcharrefreplace" => bytes.extend(format!("&#{code};").into_bytes()),
            "backslashreplace" => bytes.extend(match code {
                0..=0xff => format!("\\x{code:02x}").into_bytes(),
                0x100..=0xffff => format!("\\u{code:04x}").into_bytes(),
                _ => format!("\\U{code:08x}").into_bytes(),
            }),
            _ => return Err(Error::value_error(format!("a character of code {code} cannot be encoded: ordinal not in range({limit})"))),
        }
    }
    value(machine, bytes)
}

pub(super) fn call(machine: &Machine<'_>, receiver: &Value, bytes: &Arc<[u8]>, name: &str, arguments: Arguments) -> Result<Value> {
    machine.budget.work(bytes.len())?;
    if name == "decode" {
        return decode(machine, bytes, arguments);
    }
    arguments.unnamed::<0>(name, 0)?;
    if name == "hex" {
        return Value::made(&machine.budget, bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    if name.starts_with("is") {
        return Ok(Value::Bool(is(bytes, name)));
    }
    let mut inside = false;
    let changed = bytes.iter().enumerate().map(|(index, byte)| {
        let first = !std::mem::replace(&mut inside, byte.is_ascii_alphabetic());
        match name {
            "upper" => byte.to_ascii_uppercase(),
            "lower" => byte.to_ascii_lowercase(),
            "swapcase" if byte.is_ascii_lowercase() => byte.to_ascii_uppercase(),
            "title" if first => byte.to_ascii_uppercase(),
            "capitalize" if index == 0 => byte.to_ascii_uppercase(),
            _ => byte.to_ascii_lowercase(),
        }
    });
    if METHODS.contains(&name) { value(machine, changed.collect()) } else { Err(super::unknown(receiver, name)) }
}

fn is(bytes: &[u8], name: &str) -> bool {
    let all = |class: fn(&u8) -> bool| !bytes.is_empty() && bytes.iter().all(class);
    let any = |class: fn(&u8) -> bool| bytes.iter().any(class);
    match name {
        "isalnum" => all(u8::is_ascii_alphanumeric),
        "isalpha" => all(u8::is_ascii_alphabetic),
        "isascii" => bytes.is_ascii(),
        "isdigit" => all(u8::is_ascii_digit),
        "isspace" => all(|byte| matches!(byte, b'\t'..=b'\r' | b' ')),
        "islower" => any(u8::is_ascii_lowercase) && !any(u8::is_ascii_uppercase),
        "isupper" => any(u8::is_ascii_uppercase) && !any(u8::is_ascii_lowercase),
        _ => {
            let before = |index: usize| index.checked_sub(1).is_some_and(|index| bytes[index].is_ascii_alphabetic());
            let fits = |(index, byte): (usize, &u8)| !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() != before(index);
            any(u8::is_ascii_alphabetic) && bytes.iter().enumerate().all(fits)
        }
    }
}

/// `bytes.decode(encoding="utf-8", errors="strict")`
fn decode(machine: &Machine<'_>, bytes: &[u8], arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("decode", ["encoding", "errors"], 0)?;
    let (encoding, errors) = (encoding(bound.text(0)?)?, bound.text(1)?.unwrap_or("strict"));
    let wrong = || Error::value_error("the bytes cannot be decoded: invalid start byte");
    let text = match (encoding, errors) {
        (Encoding::Latin1, _) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        (Encoding::Ascii, _) if !bytes.is_ascii() && !matches!(errors, "ignore" | "replace") => return Err(wrong()),
        (Encoding::Ascii, "replace") => bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect(),
        (Encoding::Ascii, _) => bytes.iter().filter(|byte| byte.is_ascii()).map(|byte| char::from(*byte)).collect(),
        (Encoding::Utf8, "replace") => String::from_utf8_lossy(bytes).into_owned(),
        (Encoding::Utf8, "ignore") => bytes.utf8_chunks().map(|chunk| chunk.valid()).collect(),
        (Encoding::Utf8, _) => std::str::from_utf8(bytes).map_err(|_| wrong())?.to_owned(),
    };
    Value::made(&machine.budget, text)
}

/// Bytes as Python prints them.
pub(crate) fn repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = format!("b{}", char::from(quote));
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            byte if *byte == quote => out.extend(['\\', char::from(quote)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(char::from(quote));
    out
}

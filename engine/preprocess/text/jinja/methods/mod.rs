//! The methods of Python's values.

pub(crate) mod bytes;
mod cases;
mod containers;
pub(crate) mod lines;
mod numeric;
mod search;
pub(crate) mod strings;

use super::error::{Error, Result};
use super::run::arguments::Arguments;
use super::run::machine::Machine;
use super::value::{Thing, Value};

/// Methods that change a value, which the sandbox hides.
pub(crate) const CHANGES_LIST: &[&str] = &["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
pub(crate) const CHANGES_DICT: &[&str] = &["clear", "pop", "popitem", "setdefault", "update"];

const STR: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const MARKUP: &[&str] = &["unescape", "striptags", "escape"];
const LIST: &[&str] = &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const TUPLE: &[&str] = &["count", "index"];
const DICT: &[&str] = &["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const INT: &[&str] = &["as_integer_ratio", "bit_count", "bit_length", "conjugate", "from_bytes", "to_bytes"];
const FLOAT: &[&str] = &["as_integer_ratio", "conjugate", "fromhex", "hex", "is_integer"];

/// The method of this name, if the value's type has one.
pub(crate) fn find(value: &Value, name: &str) -> Option<&'static str> {
    let (names, more): (&[&str], &[&str]) = match value {
        Value::Str(_) => (STR, &[]),
        Value::Markup(_) => (STR, MARKUP),
        Value::List(_) => (LIST, &[]),
        Value::Tuple(_) => (TUPLE, &[]),
        Value::Dict(_) => (DICT, &[]),
        Value::Bool(_) | Value::Int(_) | Value::Big(_) => (INT, &[]),
        Value::Float(_) => (FLOAT, &[]),
        Value::Object(object) => match &object.thing {
            Thing::Range(_) => (TUPLE, &[]),
            Thing::Bytes(_) => (bytes::METHODS, &[]),
            Thing::View(..) => (&["isdisjoint"], &[]),
            Thing::Iterator(_, "generator") => (&["send", "throw", "close"], &[]),
            _ => (&[], &[]),
        },
        _ => (&[], &[]),
    };
    names.iter().chain(more).copied().find(|known| *known == name)
}

/// Calls a method.
pub(crate) fn call(machine: &Machine<'_>, receiver: &Value, name: &str, arguments: Arguments) -> Result<Value> {
    match receiver {
        Value::Str(text) | Value::Markup(text) => strings::call(machine, receiver, text, name, arguments),
        Value::Dict(dict) => containers::dict(machine, receiver, dict, name, arguments),
        Value::List(_) | Value::Tuple(_) => containers::sequence(machine, receiver, name, arguments),
        Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => numeric::call(machine, receiver, name, arguments),
        Value::Object(object) => match &object.thing {
            Thing::Loop(state) => {
                for value in arguments.positional.iter().filter(|_| name == "changed") {
                    super::budget::Budget::nest(value.depth() + 2)?;
                    object.holds(value);
                }
                state.method(machine, name, arguments)
            }
            Thing::Cycler { items, place } => {
                arguments.bind::<0>(name, [], 0)?;
                if name == "reset" {
                    place.set(0);
                    return Ok(Value::None);
                }
                let current = items.get(place.get()).cloned().unwrap_or(Value::None);
                place.set((place.get() + 1) % items.len().max(1));
                Ok(current)
            }
            Thing::Function("dict") => containers::from_keys(machine, arguments),
            Thing::Range(_) => containers::sequence(machine, receiver, name, arguments),
            Thing::Bytes(own) => bytes::call(machine, receiver, own, name, arguments),
            Thing::View(..) => containers::is_disjoint(machine, receiver, arguments),
            _ => Err(unknown(receiver, name)),
        },
        _ => Err(unknown(receiver, name)),
    }
}

/// A method that templates have no use for, such as those about bytes.
fn unknown(receiver: &Value, name: &str) -> Error {
    Error::type_error(format!("{}.{name}() is not for templates", receiver.type_name()))
}

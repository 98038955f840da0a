//! From JSON to values.

use std::rc::Rc;

use num_bigint::BigInt;
use serde_json::Value as Json;

use super::number::integer;
use super::{Dict, List, Value, deepest};

/// The value of a JSON value; what the caller gives is not paid for.
pub(crate) fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            _ if number.is_u64() => number.as_u64().map_or(Value::None, |number| integer(BigInt::from(number))),
            (None, float) => Value::Float(float.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::str(text.as_str()),
        Json::Array(items) => list_of(items.iter().map(from_json)),
        Json::Object(fields) => from_fields(fields),
    }
}

/// A list of values.
pub(crate) fn list_of(items: impl Iterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.collect();
    let depth = deepest(&items) + 1;
    Value::List(Rc::new(List { items, depth }))
}

/// A dictionary of JSON fields.
pub(crate) fn from_fields(fields: &serde_json::Map<String, Json>) -> Value {
    let mut dict = Dict::with_capacity(fields.len());
    for (name, value) in fields {
        dict.insert_str(name.as_str(), from_json(value));
    }
    Value::Dict(Rc::new(dict))
}

/// About how many bytes a JSON value holds.
pub(crate) fn size(value: &Json) -> usize {
    16 + match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(size).sum(),
        Json::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    }
}

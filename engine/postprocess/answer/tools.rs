//! The tools that a model was given, and the types of their arguments.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::literal::literal;

/// How many schemas inside of one are looked at; those that refer to each other in a circle are seen often enough with that.
const MOST_SCHEMAS: usize = 256;

/// Tools by the JSON schemas of their calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Tools(Vec<Value>);

impl Tools {
    pub(super) fn new(tools: &[Value]) -> Self {
        Self(tools.to_vec())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a tool of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters(name).is_some()
    }

    /// A tool's name, without a space of names before it that the model made up.
    pub(super) fn named(&self, name: String) -> String {
        let last = name.rsplit(['.', ':', '/']).next().unwrap_or_default();
        if !self.has(&name) && self.has(last) { last.to_owned() } else { name }
    }

    /// Whether a tool has an argument of this name; of a tool that says nothing of its arguments any.
    pub(super) fn takes(&self, name: &str, argument: &str) -> bool {
        self.argument(name, argument).is_some() || self.parameters(name).is_none_or(|schema| schema.get("properties").is_none())
    }

    /// Whether a tool says that it has an argument of this name.
    pub(super) fn declares(&self, name: &str, argument: &str) -> bool {
        self.argument(name, argument).is_some()
    }

    /// Whether a text begins with the name of a tool.
    pub(super) fn begins(&self, text: &str) -> bool {
        self.functions().filter_map(|function| function.get("name")?.as_str()).any(|name| text.starts_with(name))
    }

    /// The tool and the argument of it whose names, one after the other, make a text.
    pub(super) fn joined<'t>(&'t self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let names = self.functions().filter_map(|function| function.get("name")?.as_str());
        let mut pairs = names.filter_map(|name| Some((name, text.strip_prefix(name)?)));
        pairs.find(|(name, rest)| !rest.is_empty() && self.declares(name, rest))
    }

    /// A value that was written as plain text: by the types that the tool's schema allows it, else a text.
    pub(super) fn typed(&self, text: &str, name: &str, argument: &str) -> Value {
        let mut types = BTreeSet::new();
        if let (Some(root), Some(schema)) = (self.parameters(name), self.argument(name, argument)) {
            allowed(schema, root, &mut MOST_SCHEMAS.clone(), &mut types);
        }
        // Where only others fit, the word for nothing is no text.
        if !types.is_empty() && !types.contains(&Kind::Text) {
            types.insert(Kind::Null);
        }
        types.iter().find_map(|kind| kind.read(text)).unwrap_or_else(|| Value::from(text))
    }

    /// A value inside of arguments that was written as plain text; `item` is any value of a list.
    pub(super) fn typed_within(&self, text: &str, name: &str, path: &[String]) -> Value {
        let mut types = BTreeSet::new();
        if let Some(root) = self.parameters(name) {
            let inner = |schema: &'_ Value, key: &String| {
                let schema = referred(schema, root).unwrap_or(schema);
                let item = schema.get("items").filter(|_| key == "item");
                schema.get("properties").and_then(|properties| properties.get(key)).or(item).cloned()
            };
            if let Some(schema) = path.iter().try_fold(root.clone(), |schema, key| inner(&schema, key)) {
                allowed(&schema, root, &mut MOST_SCHEMAS.clone(), &mut types);
            }
        }
        types.iter().find_map(|kind| kind.read(text)).unwrap_or_else(|| Value::from(text))
    }

    /// The only tool that has all of some arguments.
    pub(super) fn only_one_with(&self, arguments: &Map<String, Value>) -> Option<&str> {
        let names = self.functions().filter_map(|function| function.get("name")?.as_str());
        let mut fitting = names.filter(|name| arguments.keys().all(|argument| self.declares(name, argument)));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    fn functions(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|tool| tool.get("function").unwrap_or(tool))
    }

    /// The schema of all arguments of a tool, null where it has none.
    fn parameters(&self, name: &str) -> Option<&Value> {
        let function = self.functions().find(|function| function.get("name").and_then(Value::as_str) == Some(name))?;
        Some(["parameters", "input_schema", "inputSchema"].into_iter().find_map(|key| function.get(key)).unwrap_or(&Value::Null))
    }

    fn argument(&self, name: &str, argument: &str) -> Option<&Value> {
        let root = self.parameters(name)?;
        let mut left = MOST_SCHEMAS;
        property(root, root, argument, &mut left)
    }
}

/// The schema of a property, which may stand in a schema that this one refers to or is made of.
fn property<'s>(schema: &'s Value, root: &'s Value, name: &str, left: &mut usize) -> Option<&'s Value> {
    *left = left.checked_sub(1)?;
    let own = schema.get("properties").and_then(|properties| properties.get(name));
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(list).chain(referred(schema, root));
    own.or_else(|| parts.into_iter().find_map(|part| property(part, root, name, left)))
        .or_else(|| schema.get("additionalProperties").filter(|others| others.is_object()))
}

/// What a value may be, in the order in which a text is read as one: what most texts are not comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Null,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
    Text,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            // The names of JSON Schema, and those of Python and of databases that tools are described with as well.
            "null" | "none" | "NoneType" => Self::Null,
            "integer" | "int" | "int32" | "int64" | "long" => Self::Integer,
            "number" | "float" | "float32" | "float64" | "double" => Self::Number,
            "boolean" | "bool" => Self::Boolean,
            "object" | "dict" => Self::Object,
            "array" | "list" | "tuple" => Self::Array,
            "string" | "str" | "text" => Self::Text,
            _ => return None,
        })
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    /// The value of this kind that a text is.
    fn read(self, text: &str) -> Option<Value> {
        let word = text.trim();
        match self {
            Self::Text => Some(Value::from(text)),
            Self::Boolean => match word.to_ascii_lowercase().as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Null => ["null", "None"].contains(&word).then_some(Value::Null),
            Self::Integer => literal(word).filter(Value::is_number).and_then(|value| match value.as_f64() {
                // `5.0` is a whole number as well; one beyond 64 bits is as near as JSON's readers come.
                Some(number) if value.is_f64() && number.abs() < 9e15 => (number.fract() == 0.0).then(|| Value::from(number as i64)),
                _ => Some(value),
            }),
            Self::Number => literal(word).filter(Value::is_number),
            Self::Object => container(word).filter(Value::is_object),
            Self::Array => container(word).filter(Value::is_array),
        }
    }
}

/// An object or a list, which some write as a text once more.
fn container(text: &str) -> Option<Value> {
    match literal(text)? {
        Value::String(inner) => literal(&inner),
        value => Some(value),
    }
}

/// The schema that a schema refers to.
fn referred<'s>(schema: &'s Value, root: &'s Value) -> Option<&'s Value> {
    let reference = unescaped(schema.get("$ref")?.as_str()?.strip_prefix('#')?);
    let found = match reference.is_empty() || reference.starts_with('/') {
        true => root.pointer(&reference),
        false => ["$defs", "definitions"]
            .into_iter()
            .filter_map(|key| root.get(key)?.as_object())
            .find_map(|schemas| schemas.values().find(|schema| schema.get("$anchor").and_then(Value::as_str) == Some(reference.as_str()))),
    };
    found.filter(|found| !std::ptr::eq(*found, schema))
}

/// A part of an address without its percent signs.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Adds what a schema allows a value to be.
fn allowed(schema: &Value, root: &Value, left: &mut usize, types: &mut BTreeSet<Kind>) {
    let Some(fewer) = left.checked_sub(1) else { return };
    *left = fewer;
    let list = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    if let Some(found) = referred(schema, root) {
        allowed(found, root, left, types);
    }
    let before = types.len();
    match schema.get("type") {
        Some(Value::String(name)) => types.extend(Kind::named(name)),
        Some(Value::Array(names)) => types.extend(names.iter().filter_map(|name| Kind::named(name.as_str()?))),
        _ => {}
    }
    for choice in ["anyOf", "oneOf", "allOf"].into_iter().flat_map(list) {
        allowed(choice, root, left, types);
    }
    if types.len() == before {
        types.extend(list("enum").chain(schema.get("const")).map(Kind::of));
        let tells = |names: &[&str]| names.iter().any(|name| schema.get(name).is_some());
        if tells(&["properties", "additionalProperties", "patternProperties", "required"]) {
            types.insert(Kind::Object);
        }
        if tells(&["items", "prefixItems", "minItems", "maxItems"]) {
            types.insert(Kind::Array);
        }
    }
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        types.insert(Kind::Null);
    }
}

//! The tools that a model was given, and the types of their arguments.

use std::collections::BTreeSet;

use serde_json::Value;

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

    /// Whether a tool has an argument of this name; of a tool that says nothing of its arguments any.
    pub(super) fn takes(&self, name: &str, argument: &str) -> bool {
        self.argument(name, argument).is_some() || self.parameters(name).is_none_or(|schema| schema.get("properties").is_none())
    }

    /// Whether a tool says that it has an argument of this name.
    pub(super) fn declares(&self, name: &str, argument: &str) -> bool {
        self.argument(name, argument).is_some()
    }

    /// A value that was written as plain text: by the types that the tool's schema allows it, else a text.
    pub(super) fn typed(&self, text: &str, name: &str, argument: &str) -> Value {
        let mut types = BTreeSet::new();
        if let (Some(root), Some(schema)) = (self.parameters(name), self.argument(name, argument)) {
            allowed(schema, root, &mut MOST_SCHEMAS.clone(), &mut types);
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

    /// The schema of all arguments of a tool, null where it has none.
    fn parameters(&self, name: &str) -> Option<&Value> {
        let functions = self.0.iter().map(|tool| tool.get("function").unwrap_or(tool));
        let function = functions.into_iter().find(|function| function.get("name").and_then(Value::as_str) == Some(name))?;
        Some(["parameters", "input_schema", "inputSchema"].into_iter().find_map(|key| function.get(key)).unwrap_or(&Value::Null))
    }

    fn argument(&self, name: &str, argument: &str) -> Option<&Value> {
        let root = self.parameters(name)?;
        let schema = referred(root, root).unwrap_or(root);
        schema.get("properties")?.get(argument)
    }
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
            "null" => Self::Null,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::Text,
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
            Self::Integer => literal(word).and_then(|value| match value.as_f64() {
                // `5.0` is a whole number as well.
                Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => Some(Value::from(number as i64)),
                Some(_) if value.is_f64() && word.contains(['.', 'e', 'E']) => None,
                number => number.map(|_| value),
            }),
            Self::Number => literal(word).filter(Value::is_number),
            Self::Object => literal(word).filter(Value::is_object),
            Self::Array => literal(word).filter(Value::is_array),
        }
    }
}

/// The schema that a schema refers to.
fn referred<'s>(schema: &'s Value, root: &'s Value) -> Option<&'s Value> {
    let reference = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(&reference.replace("%20", " ")).filter(|found| !std::ptr::eq(*found, schema))
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

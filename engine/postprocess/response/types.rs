//! The types of arguments, as the reference takes them from the schemas of tools.

use serde_json::{Map, Value};

use super::content;
use super::python::{float, int, strip, whole};

/// The parameters of each tool.
pub(super) struct Tools<'t>(Vec<(&'t str, Option<&'t Map<String, Value>>)>);

impl<'t> Tools<'t> {
    pub(super) fn new(tools: &'t [Value]) -> Self {
        let tool = |tool: &'t Value| {
            let function = tool.get("function").unwrap_or(tool);
            Some((function.get("name")?.as_str()?, function.pointer("/parameters/properties").and_then(Value::as_object)))
        };
        Self(tools.iter().filter_map(tool).collect())
    }

    /// Gives the arguments of a call, or of a list of them, the types that its tool declares.
    pub(super) fn type_arguments(&self, value: &mut Value) {
        if let Value::Array(list) = value {
            list.iter_mut().for_each(|item| self.type_arguments(item));
            return;
        }
        let Some(function) = value.get_mut("function") else { return };
        let name = function.get("name").and_then(Value::as_str);
        // Of tools with the same name the last counts.
        let tool = self.0.iter().rev().find(|(tool, _)| Some(*tool) == name);
        let (Some((_, Some(properties))), Some(Value::Object(arguments))) = (tool, function.get_mut("arguments")) else { return };
        for (key, argument) in arguments.iter_mut() {
            let types = properties.get(key).map(types).unwrap_or_default();
            match argument {
                _ if types.is_empty() => {}
                Value::String(text) => *argument = typed(text, &types),
                Value::Array(list) if !types.iter().any(|kind| kind == "array") => {
                    for item in list {
                        if let Value::String(text) = item {
                            *item = typed(text, &types);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The types that a schema allows.
fn types(schema: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut types: Vec<String> = match schema.get("type") {
        Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    };
    for union in ["anyOf", "oneOf"] {
        types.extend(schema.get(union).and_then(Value::as_array).into_iter().flatten().flat_map(self::types));
    }
    if schema.get("nullable").is_some_and(content::is_true) && !types.iter().any(|kind| kind == "null") {
        types.push("null".to_owned());
    }
    types
}

/// A text as the first of some types that it can have, else as it is.
fn typed(text: &str, types: &[String]) -> Value {
    let word = strip(text);
    let read = |kind: &String| match kind.as_str() {
        "integer" => int(text).or_else(|| float(text).filter(|number| number.fract() == 0.0).map(whole)),
        "number" => float(text).filter(|number| number.is_finite()).map(|number| {
            let is_whole = number.fract() == 0.0 && !text.contains('.');
            if is_whole { whole(number) } else { Value::from(number) }
        }),
        "boolean" => match word.to_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        "null" => ["null", "None"].contains(&word).then_some(Value::Null),
        "object" => serde_json::from_str(text).ok().filter(Value::is_object),
        "array" => serde_json::from_str(text).ok().filter(Value::is_array),
        _ => None,
    };
    types.iter().find_map(read).unwrap_or_else(|| Value::from(text))
}

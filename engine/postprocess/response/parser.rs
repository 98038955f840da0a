//! The regions of a text, one after the other.

use serde_json::{Map, Value};

use super::content::unreadable;
use super::pattern::{Delimiter, Place};
use super::python::{float, int, strip, whole};
use super::template::{Field, ResponseTemplate};
use crate::Result;

/// A text on its way to a message.
pub(super) struct Parser<'t> {
    template: &'t ResponseTemplate,
    text: &'t str,
    /// How far the text has been read.
    position: usize,
    /// The parameters of each tool.
    tools: Vec<(&'t str, Option<&'t Map<String, Value>>)>,
    message: Map<String, Value>,
    /// The region that is open; outside of all, the field for such text, if there is one.
    current: Option<&'t Field>,
    captures: Map<String, Value>,
    body: String,
    is_open: bool,
}

/// What a delimiter does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Open,
    Close,
}

impl<'t> Parser<'t> {
    pub(super) fn new(template: &'t ResponseTemplate, text: &'t str, tools: &'t [Value]) -> Self {
        let tool = |tool: &'t Value| {
            let function = tool.get("function").unwrap_or(tool);
            Some((function.get("name")?.as_str()?, function.pointer("/parameters/properties").and_then(Value::as_object)))
        };
        let mut parser = Self {
            template,
            text,
            position: 0,
            tools: tools.iter().filter_map(tool).collect(),
            message: template.defaults.clone(),
            current: None,
            captures: Map::new(),
            body: String::new(),
            is_open: false,
        };
        parser.outside();
        parser
    }

    pub(super) fn run(mut self) -> Result<Map<String, Value>> {
        // Every step but one reads on or changes the region; delimiters without any text could do that without end.
        let most = 4 * self.text.len() + 16;
        for _ in 0..most {
            let Some((kind, field, place)) = self.next()? else { break };
            self.take(place.start);
            self.position = place.end;
            let had_content = self.is_open;
            self.close()?;
            match kind {
                Kind::Open => {
                    self.current = Some(field);
                    self.captures = place.captures;
                    self.is_open = true;
                }
                // An end without a text would come again and again.
                Kind::Close if !had_content && place.start == place.end => return self.finish(),
                Kind::Close => {}
            }
        }
        self.take(self.text.len());
        self.finish()
    }

    fn finish(mut self) -> Result<Map<String, Value>> {
        self.close()?;
        let missing: Vec<&str> = self.template.fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
        if let Some(missing) = missing.into_iter().find(|name| !self.message.contains_key(*name)) {
            return Err(unreadable(missing, "it is missing"));
        }
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let defaults = &self.template.defaults;
        self.message.retain(|name, value| defaults.contains_key(name) || !is_empty(value));
        Ok(self.message)
    }

    /// The next delimiter: the first, of several the longest, a beginning before an end, by name.
    fn next(&self) -> Result<Option<(Kind, &'t Field, Place)>> {
        let inside = self.current.filter(|field| field.open.is_some());
        let watched: Vec<(Kind, &'t Field, &'t Delimiter)> = match inside {
            Some(field) => field.close.iter().map(|close| (Kind::Close, field, close)).collect(),
            None => {
                let opens = self.template.fields.iter().filter_map(|field| Some((Kind::Open, field, field.open.as_ref()?)));
                let close = self.current.and_then(|field| Some((Kind::Close, field, field.close.as_ref()?)));
                opens.chain(close).collect()
            }
        };
        let mut found = Vec::new();
        for (kind, field, delimiter) in watched {
            found.extend(delimiter.find(self.text, self.position)?.map(|place| (kind, field, place)));
        }
        Ok(found.into_iter().min_by_key(|(kind, field, place)| (place.start, usize::MAX - place.end, *kind, field.name.as_str())))
    }

    /// Adds the text up to a place to the region.
    fn take(&mut self, end: usize) {
        let text = self.text.get(self.position..end).unwrap_or_default();
        self.position = self.position.max(end);
        if !text.is_empty() && self.current.is_some() {
            self.is_open = true;
            self.body.push_str(text);
        }
    }

    /// Ends the region.
    fn close(&mut self) -> Result<()> {
        if let Some(field) = self.current.filter(|_| self.is_open) {
            let mut value = field.value(&self.body, std::mem::take(&mut self.captures))?;
            if !self.tools.is_empty() {
                self.type_arguments(&mut value);
            }
            match (&field.join, self.message.get_mut(&field.name)) {
                (Some(join), previous) => {
                    let text = value.as_str().ok_or_else(|| unreadable(&field.name, format!("not text: {value}")))?;
                    let text = match previous.as_deref() {
                        Some(Value::String(previous)) => format!("{previous}{join}{text}"),
                        _ => text.to_owned(),
                    };
                    self.message.insert(field.name.clone(), Value::from(text));
                }
                (None, Some(Value::Array(list))) if field.repeats => list.push(value),
                (None, None) if field.repeats => {
                    self.message.insert(field.name.clone(), Value::Array(vec![value]));
                }
                _ => {
                    self.message.insert(field.name.clone(), value);
                }
            }
        }
        self.outside();
        Ok(())
    }

    fn outside(&mut self) {
        self.current = self.template.fields.iter().find(|field| field.open.is_none());
        self.captures = Map::new();
        self.body.clear();
        self.is_open = false;
    }

    /// Gives the arguments of a call, or of a list of them, the types that its tool declares.
    fn type_arguments(&self, value: &mut Value) {
        if let Value::Array(list) = value {
            list.iter_mut().for_each(|item| self.type_arguments(item));
            return;
        }
        let Some(function) = value.get_mut("function") else { return };
        let name = function.get("name").and_then(Value::as_str);
        // Of tools with the same name the last counts.
        let tool = self.tools.iter().rev().find(|(tool, _)| Some(*tool) == name);
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
    if schema.get("nullable").is_some_and(super::content::is_true) && !types.iter().any(|kind| kind == "null") {
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

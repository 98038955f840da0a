//! How the text of a region becomes a value.

use serde_json::{Map, Value};

use super::pattern::{compile, too_hard};
use super::python::{float, int, strip};
use super::template::Field;
use crate::{Error, ErrorKind, Result};

/// The ways to read a text.
pub(super) const PARSERS: [&str; 7] = ["text", "int", "float", "bool", "json", "xml-inline", "kv-lines"];

/// What Python takes for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// An answer that is not as the template says.
pub(super) fn unreadable(field: &str, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Answer, format!("{field} of the answer: {message}"))
}

impl Field {
    /// The value of a region, from its text and the groups of its beginning.
    pub(super) fn value(&self, body: &str, captures: Map<String, Value>) -> Result<Value> {
        let value = parse(&self.name, body, &self.content, &self.content_args)?;
        let Some(transform) = &self.transform else { return Ok(value) };
        if !self.transform_each {
            let mut scope = captures;
            scope.insert("content".into(), value);
            return self.transformed(transform, &scope);
        }
        let wrong = || unreadable(&self.name, format!("not a list of objects: {}", body.trim()));
        let item = |item: &Value| {
            let mut scope = captures.clone();
            scope.extend(item.as_object().ok_or_else(wrong)?.clone());
            self.transformed(transform, &scope)
        };
        value.as_array().ok_or_else(wrong)?.iter().map(item).collect()
    }

    /// A template of a value, with what its placeholders stand for.
    fn transformed(&self, transform: &Value, scope: &Map<String, Value>) -> Result<Value> {
        Ok(match transform {
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| Ok((key.clone(), self.transformed(value, scope)?));
                Value::Object(fields.iter().map(field).collect::<Result<_>>()?)
            }
            Value::Array(list) => Value::Array(list.iter().map(|value| self.transformed(value, scope)).collect::<Result<_>>()?),
            Value::String(text) => match placeholder(text) {
                None => transform.clone(),
                Some(path) => {
                    let mut parts = path.split('.');
                    let root = parts.next().and_then(|root| scope.get(root));
                    let value = parts.try_fold(root, |value, key| value?.as_object().map(|fields| fields.get(key)));
                    value.flatten().cloned().ok_or_else(|| unreadable(&self.name, format!("lacks {path}")))?
                }
            },
            other => other.clone(),
        })
    }
}

/// The path of a string that is one placeholder, `{content.name}`.
fn placeholder(text: &str) -> Option<&str> {
    let path = text.strip_prefix('{')?.strip_suffix('}')?;
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    path.split('.').all(is_word).then_some(path)
}

/// Refuses strings that hold a placeholder and something else.
pub(super) fn check_transform(scope: &str, transform: &Value) -> Result<()> {
    match transform {
        Value::Object(fields) => fields.values().try_for_each(|value| check_transform(scope, value)),
        Value::Array(list) => list.iter().try_for_each(|value| check_transform(scope, value)),
        Value::String(text) if placeholder(text).is_none() => {
            let begins = text.match_indices('{').any(|(start, _)| {
                let rest = text.get(start..).unwrap_or_default();
                rest.match_indices('}').any(|(end, _)| rest.get(..=end).and_then(placeholder).is_some())
            });
            if begins {
                return Err(Error::config(format!("{scope}.transform: {text:?} mixes a placeholder with other text")));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads a text in one of the ways.
fn parse(field: &str, text: &str, parser: &str, args: &Value) -> Result<Value> {
    let Value::Object(args) = args else {
        return Err(Error::config(format!("response_template.fields.{field}.content_args: not an object")));
    };
    let stripped = if args.get("strip").is_none_or(is_true) { strip(text) } else { text };
    let not = |what: &str| unreadable(field, format!("not {what}: {stripped}"));
    match parser {
        "text" => Ok(Value::from(stripped)),
        "int" => int(stripped).ok_or_else(|| not("a whole number")),
        // JSON has no numbers for what is none, or has no end.
        "float" => float(stripped).filter(|number| number.is_finite()).map(Value::from).ok_or_else(|| not("a number that JSON has")),
        "bool" => Ok(Value::from(["true", "1"].contains(&stripped.to_lowercase().as_str()))),
        "json" => json(field, text, stripped, args),
        "xml-inline" => xml_inline(field, text, args),
        "kv-lines" => kv_lines(field, text, args),
        other => Err(Error::config(format!("response_template.fields.{field}: no way to read is called {other}"))),
    }
}

/// A value inside another.
fn inner(field: &str, text: &str, args: &Map<String, Value>) -> Result<Value> {
    let Some(parser) = args.get("value_parser").filter(|parser| !parser.is_null()) else { return Ok(Value::from(text)) };
    let none = Value::Object(Map::new());
    parse(field, text, parser.get("name").map_or("text", |name| name.as_str().unwrap_or_default()), parser.get("args").unwrap_or(&none))
}

/// JSON, also with keys without quotation marks and strings between other marks.
fn json(field: &str, text: &str, stripped: &str, args: &Map<String, Value>) -> Result<Value> {
    let mut working = text.to_owned();
    let mut strings = Vec::new();
    let marks: Vec<&Value> = args.get("string_delims").and_then(Value::as_array).into_iter().flatten().collect();
    if !marks.is_empty() && text.contains(['\u{1}', '\u{2}']) {
        return Err(unreadable(field, "it has control characters"));
    }
    for mark in marks {
        let (Some(open), Some(close)) = (mark.get(0).and_then(Value::as_str), mark.get(1).and_then(Value::as_str)) else {
            return Err(Error::config(format!("response_template.fields.{field}: string_delims is not a list of pairs")));
        };
        working = strings_out(&working, open, close, &mut strings);
    }
    if args.get("unquoted_keys").is_some_and(is_true) {
        working = with_quoted_keys(&working);
    }
    working = strings_in(working, &strings);
    match serde_json::from_str(&working) {
        Ok(value) => Ok(value),
        Err(_) if args.get("allow_non_json").is_some_and(is_true) => Ok(Value::from(stripped)),
        Err(error) => Err(unreadable(field, format!("not JSON ({error}): {text}")).caused_by(error)),
    }
}

/// Takes the strings between two marks out, and leaves their numbers.
fn strings_out(text: &str, open: &str, close: &str, strings: &mut Vec<String>) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(open) {
        let Some((string, behind)) = after.split_once(close) else { break };
        out.push_str(&format!("{before}\u{1}{}\u{2}", strings.len()));
        strings.push(string.to_owned());
        rest = behind;
    }
    out + rest
}

/// Puts strings that were taken out back, as JSON.
fn strings_in(text: String, strings: &[String]) -> String {
    let put = |text: String, (place, string): (usize, &String)| {
        text.replace(&format!("\u{1}{place}\u{2}"), &Value::from(string.as_str()).to_string())
    };
    strings.iter().enumerate().fold(text, put)
}

/// Puts quotation marks around words between `{` or `,` and `:`.
fn with_quoted_keys(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(place) = rest.find(['{', ',']) {
        let (before, after) = rest.split_at(place + 1);
        out.push_str(before);
        let word = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
        rest = after;
        if word > 0 && after[word..].starts_with(':') {
            out.push_str(&format!("\"{}\"", &after[..word]));
            rest = &after[word..];
        }
    }
    out + rest
}

/// Tags with a key and a value each.
fn xml_inline(field: &str, text: &str, args: &Map<String, Value>) -> Result<Value> {
    let wrong = |message: &str| Error::config(format!("response_template.fields.{field}.content_args.tag_pattern: {message}"));
    let pattern = args.get("tag_pattern").and_then(Value::as_str).ok_or_else(|| wrong("xml-inline needs it"))?;
    let pattern = compile(pattern).map_err(|error| wrong(&error))?;
    let mut out = Map::new();
    for found in pattern.captures_iter(text) {
        let found = found.map_err(|error| too_hard(&pattern, &error))?;
        let key = found.name("key").ok_or_else(|| wrong("must have a group `key`"))?.as_str();
        let has_value = pattern.capture_names().flatten().any(|name| name == "value");
        let value = match found.name("value") {
            Some(value) => inner(field, value.as_str(), args)?,
            None if has_value => Value::Null,
            None => inner(field, "", args)?,
        };
        match out.get_mut(key) {
            Some(Value::Array(list)) if args.get("merge_duplicates").is_some_and(is_true) => list.push(value),
            Some(one) if args.get("merge_duplicates").is_some_and(is_true) => *one = Value::Array(vec![one.take(), value]),
            _ => {
                out.insert(key.to_owned(), value);
            }
        }
    }
    Ok(Value::Object(out))
}

/// Lines with a key and a value each.
fn kv_lines(field: &str, text: &str, args: &Map<String, Value>) -> Result<Value> {
    let mark = |name: &str, usual: &'static str| args.get(name).map_or(Some(usual), Value::as_str).filter(|mark| !mark.is_empty());
    let (Some(lines), Some(between)) = (mark("line_sep", "\n"), mark("kv_sep", ":")) else {
        return Err(Error::config(format!("response_template.fields.{field}.content_args: line_sep and kv_sep are texts")));
    };
    let trimmed = |text| if args.get("strip").is_none_or(is_true) { strip(text) } else { text };
    let mut out = Map::new();
    for line in text.split(lines) {
        if let Some((key, value)) = trimmed(line).split_once(between) {
            out.insert(trimmed(key).to_owned(), inner(field, trimmed(value), args)?);
        }
    }
    Ok(Value::Object(out))
}

//! `tojson` as Transformers overrides it: `json.dumps`, without Jinja's escaping of HTML.

use crate::preprocess::text::jinja::budget::{Budget, ITEM};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::iterate::collect;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::operators::truth;
use crate::preprocess::text::jinja::run::order::sort;
use crate::preprocess::text::jinja::value::digits::{big_repr, float_repr};
use crate::preprocess::text::jinja::value::number::index;
use crate::preprocess::text::jinja::value::{Dict, Value};

/// Indentation of one level longer than this is no layout but a way to fill memory.
const WIDEST: i64 = 1000;
/// How deep values may nest; Python gives up about there.
const DEEPEST: usize = 900;

struct Dump<'a> {
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    budget: &'a Budget,
}

/// `tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(crate) fn tojson(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("tojson", ["x", "ensure_ascii", "indent", "separators", "sort_keys"], 1)?;
    let indent = bound.some(2).map(indentation).transpose()?;
    let (item_separator, key_separator) = match bound.some(3) {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(separators) => match collect(machine, separators)?.as_slice() {
            [Value::Str(item) | Value::Markup(item), Value::Str(key) | Value::Markup(key)] => (item.to_string(), key.to_string()),
            _ => return Err(Error::type_error("separators must be two strings")),
        },
    };
    let (ensure_ascii, sort_keys) = (bound.truth(1, false)?, bound.given(4).map_or(Ok(false), truth)?);
    let dump = Dump { ensure_ascii, indent, item_separator, key_separator, sort_keys, budget: &machine.budget };
    let mut out = String::new();
    dump.value(bound.value(0), &mut out, 0)?;
    Ok(Value::str(out))
}

/// `json.dumps(value, ensure_ascii=False)`
pub(crate) fn dumps(budget: &Budget, value: &Value) -> Result<String> {
    let (item_separator, key_separator) = (", ".to_owned(), ": ".to_owned());
    let dump = Dump { ensure_ascii: false, indent: None, item_separator, key_separator, sort_keys: false, budget };
    let mut out = String::new();
    dump.value(value, &mut out, 0)?;
    Ok(out)
}

fn indentation(value: &Value) -> Result<String> {
    match (value.as_str(), index(value)) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(width)) if width <= WIDEST => Ok(" ".repeat(usize::try_from(width).unwrap_or(0))),
        (None, Some(_)) => Err(Error::value_error("tojson: indent is too large")),
        (None, None) => Err(Error::type_error(format!("can't multiply sequence by non-int of type '{}'", value.type_name()))),
    }
}

impl Dump<'_> {
    fn value(&self, value: &Value, out: &mut String, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(Error::value_error("tojson: the value nests too deeply (maximum recursion depth exceeded)"));
        }
        let before = out.len();
        match value {
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => out.push_str(&scalar(value)?),
            Value::Str(text) | Value::Markup(text) => self.string(text, out),
            Value::List(_) | Value::Tuple(_) => {
                let items = value.as_items().unwrap_or_default();
                return self.group(out, depth, ('[', ']'), items.len(), |index, out| self.value(&items[index], out, depth + 1));
            }
            Value::Dict(dict) => return self.object(dict, out, depth),
            _ => return Err(Error::type_error(format!("Object of type {} is not JSON serializable", value.type_name()))),
        }
        self.budget.make(ITEM + out.len() - before)
    }

    fn object(&self, dict: &Dict, out: &mut String, depth: usize) -> Result<()> {
        let sorted = if self.sort_keys {
            Some(sort(self.budget, dict.iter().map(|(key, _)| (key.clone(), key.clone())).collect(), false)?)
        } else {
            None
        };
        self.group(out, depth, ('{', '}'), dict.len(), |index, out| {
            let entry = match &sorted {
                Some(keys) => keys.get(index).and_then(|key| Some((key, dict.get(self.budget, key).ok()??))),
                None => dict.at(index),
            };
            let Some((key, item)) = entry else { return Ok(()) };
            match key.as_str() {
                Some(text) => self.string(text, out),
                None => self.string(&scalar(key).map_err(|_| bad_key(key))?, out),
            }
            out.push_str(&self.key_separator);
            self.budget.make(ITEM + self.key_separator.len() + key.as_str().map_or(0, str::len))?;
            self.value(item, out, depth + 1)
        })
    }

    fn group(
        &self,
        out: &mut String,
        depth: usize,
        (open, close): (char, char),
        count: usize,
        item: impl Fn(usize, &mut String) -> Result<()>,
    ) -> Result<()> {
        out.push(open);
        for index in 0..count {
            if index > 0 {
                out.push_str(&self.item_separator);
            }
            self.budget.make(self.item_separator.len())?;
            self.line(out, depth + 1)?;
            item(index, out)?;
        }
        if count > 0 {
            self.line(out, depth)?;
        }
        out.push(close);
        self.budget.make(ITEM)
    }

    fn line(&self, out: &mut String, depth: usize) -> Result<()> {
        if let Some(indent) = &self.indent {
            self.budget.make(1 + indent.len() * depth)?;
            out.push('\n');
            out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
        Ok(())
    }

    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

fn bad_key(key: &Value) -> Error {
    Error::type_error(format!("keys must be str, int, float, bool or None, not {}", key.type_name()))
}

/// What stands in JSON for what is neither text nor a container.
fn scalar(value: &Value) -> Result<String> {
    Ok(match value {
        Value::None => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Big(value) => big_repr(value)?,
        Value::Float(value) if value.is_nan() => "NaN".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        Value::Float(value) => float_repr(*value),
        other => return Err(Error::type_error(format!("Object of type {} is not JSON serializable", other.type_name()))),
    })
}

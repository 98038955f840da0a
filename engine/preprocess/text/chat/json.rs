//! `tojson` as the reference overrides it: `json.dumps`, without Jinja's escaping of HTML.

use minijinja::value::{Kwargs, Serde, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::budget::Budget;
use super::python::{DEEPEST, float, float_repr, is_dict, pairs};

/// Indentation of one level longer than this is no layout but a way to fill memory.
const WIDEST: i64 = 1000;

struct Dump {
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    budget: Budget,
}

/// `tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(super) fn tojson(budget: &Budget, value: &Value, positional: &[Value], kwargs: &Kwargs) -> Result<Value, Error> {
    if positional.len() > 4 {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let argument = |index: usize, name: &str| -> Result<Value, Error> {
        let named: Option<Value> = kwargs.get(name)?;
        Ok(named.or_else(|| positional.get(index).cloned()).unwrap_or_else(|| Value::from(())))
    };
    let ensure_ascii = argument(0, "ensure_ascii")?.is_true();
    let indent = indent(&argument(1, "indent")?)?;
    let separators = argument(2, "separators")?;
    let sort_keys = argument(3, "sort_keys")?.is_true();
    kwargs.assert_all_used()?;
    let (item_separator, key_separator) = if separators.is_none() {
        (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned())
    } else {
        let both: Vec<Value> = separators.try_iter()?.collect();
        match both.as_slice() {
            [item, key] if item.as_str().is_some() && key.as_str().is_some() => (item.to_string(), key.to_string()),
            _ => return Err(invalid("separators must be two strings")),
        }
    };
    let dump = Dump { ensure_ascii, indent, item_separator, key_separator, sort_keys, budget: budget.clone() };
    let mut out = String::new();
    dump.value(value, &mut out, 0)?;
    Ok(Value::from(out))
}

/// `json.dumps(value, ensure_ascii=False)`
pub(crate) fn dumps(value: &serde_json::Value) -> crate::Result<String> {
    let dump = Dump {
        ensure_ascii: false,
        indent: None,
        item_separator: ", ".to_owned(),
        key_separator: ": ".to_owned(),
        sort_keys: false,
        budget: Budget::new(),
    };
    let mut out = String::new();
    dump.value(&Value::from(Serde(value)), &mut out, 0).map_err(|error| crate::Error::request("inputs", error))?;
    Ok(out)
}

fn indent(value: &Value) -> Result<Option<String>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    if let Some(text) = value.as_str() {
        return Ok(Some(text.to_owned()));
    }
    match i64::try_from(value.clone()) {
        Ok(width) if width <= WIDEST => Ok(Some(" ".repeat(width.max(0) as usize))),
        _ => Err(invalid("indent must be a string or a small number")),
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

impl Dump {
    fn value(&self, value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(invalid("tojson: the value nests too deeply"));
        }
        let before = out.len();
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                return self.group(out, depth, ('[', ']'), items.len(), |index, out| self.value(&items[index], out, depth + 1));
            }
            ValueKind::Map if is_dict(value) => return self.object(value, out, depth),
            _ => return Err(invalid(format!("tojson: a value of type {} is not JSON serializable", value.kind()))),
        }
        self.budget.spend(out.len() - before)
    }

    fn object(&self, value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
        let mut entries = pairs(value);
        if self.sort_keys {
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        self.group(out, depth, ('{', '}'), entries.len(), |index, out| {
            let (key, item) = &entries[index];
            let key = match key.kind() {
                ValueKind::String => key.to_string(),
                ValueKind::None => "null".to_owned(),
                ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
                ValueKind::Number => number(key),
                kind => return Err(invalid(format!("tojson: keys must be strings, not {kind}"))),
            };
            self.string(&key, out);
            out.push_str(&self.key_separator);
            self.budget.spend(key.len())?;
            self.value(item, out, depth + 1)
        })
    }

    fn group(
        &self,
        out: &mut String,
        depth: usize,
        (open, close): (char, char),
        count: usize,
        item: impl Fn(usize, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        for index in 0..count {
            if index > 0 {
                out.push_str(&self.item_separator);
            }
            self.line(out, depth + 1)?;
            item(index, out)?;
        }
        if count > 0 {
            self.line(out, depth)?;
        }
        out.push(close);
        self.budget.spend(2 + count)
    }

    fn line(&self, out: &mut String, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            self.budget.spend(1 + indent.len() * depth)?;
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

fn number(value: &Value) -> String {
    match float(value) {
        Some(number) if number.is_nan() => "NaN".to_owned(),
        Some(number) if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        Some(number) => float_repr(number),
        None => value.to_string(),
    }
}

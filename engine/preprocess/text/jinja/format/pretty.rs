//! `pprint.pformat`

use crate::preprocess::text::jinja::budget::{Budget, ITEM};
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::methods::lines::lines;
use crate::preprocess::text::jinja::run::order::sort;
use crate::preprocess::text::jinja::text::is_space;
use crate::preprocess::text::jinja::value::repr::{quote, repr};
use crate::preprocess::text::jinja::value::{Dict, Value};

const WIDTH: i64 = 80;
const DEEPEST: usize = 300;

/// Where a value is printed: how far in, and how much room the rest of its line needs.
#[derive(Clone, Copy)]
struct Place {
    indent: i64,
    allowance: i64,
    level: usize,
}

/// A value, over several lines where one is too short.
pub(crate) fn pformat(budget: &Budget, value: &Value) -> Result<String> {
    let mut out = String::new();
    format(budget, value, Place { indent: 0, allowance: 0, level: 0 }, &mut out)?;
    Ok(out)
}

fn length(text: &str) -> i64 {
    text.chars().count() as i64
}

fn format(budget: &Budget, value: &Value, place: Place, out: &mut String) -> Result<()> {
    if place.level > DEEPEST {
        return Err(Error::new(Kind::Limit, "pprint: the value nests too deeply"));
    }
    let line = one_line(budget, value, 0)?;
    if length(&line) <= WIDTH - place.indent - place.allowance {
        budget.make(line.len())?;
        out.push_str(&line);
        return Ok(());
    }
    let inner = Place { level: place.level + 1, ..place };
    match value {
        Value::List(list) => items(budget, &list.items, ("[", "]"), inner, out),
        Value::Tuple(tuple) => items(budget, &tuple.items, ("(", if tuple.items.len() == 1 { ",)" } else { ")" }), inner, out),
        Value::Dict(dict) => entries(budget, dict, inner, out),
        Value::Str(text) => string(budget, text, inner, out),
        _ => {
            out.push_str(&line);
            budget.make(line.len())
        }
    }
}

/// `repr`, with sorted keys.
fn one_line(budget: &Budget, value: &Value, depth: usize) -> Result<String> {
    if depth > DEEPEST {
        return Err(Error::new(Kind::Limit, "pprint: the value nests too deeply"));
    }
    let joined = |values: &[Value]| -> Result<String> {
        let parts = values.iter().map(|value| one_line(budget, value, depth + 1)).collect::<Result<Vec<_>>>()?;
        Ok(parts.join(", "))
    };
    let text = match value {
        Value::List(list) => format!("[{}]", joined(&list.items)?),
        Value::Tuple(tuple) if tuple.items.len() == 1 => format!("({},)", joined(&tuple.items)?),
        Value::Tuple(tuple) => format!("({})", joined(&tuple.items)?),
        Value::Dict(dict) => {
            let mut parts = Vec::new();
            for (key, value) in sorted(budget, dict)? {
                parts.push(format!("{}: {}", one_line(budget, &key, depth + 1)?, one_line(budget, &value, depth + 1)?));
            }
            format!("{{{}}}", parts.join(", "))
        }
        other => repr(budget, other)?,
    };
    budget.make(ITEM + text.len())?;
    Ok(text)
}

/// Entries by their keys; keys without an order by their types.
fn sorted(budget: &Budget, dict: &Dict) -> Result<Vec<(Value, Value)>> {
    let keyed = |by_type: bool| {
        let key = |key: &Value| if by_type { Value::from(key.type_name()) } else { key.clone() };
        let places = dict.iter().enumerate().map(|(place, (name, _))| (key(name), Value::from(place))).collect();
        sort(budget, places, false)
    };
    let order = match keyed(false) {
        Err(error) if error.kind() == Kind::Type => keyed(true)?,
        order => order?,
    };
    let entry = |place: Value| match place {
        Value::Int(place) => dict.at(usize::try_from(place).ok()?).map(|(key, value)| (key.clone(), value.clone())),
        _ => None,
    };
    Ok(order.into_iter().filter_map(entry).collect())
}

fn new_line(budget: &Budget, indent: i64, out: &mut String) -> Result<()> {
    let indent = usize::try_from(indent).unwrap_or(0);
    budget.make(2 + indent)?;
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    Ok(())
}

fn items(budget: &Budget, items: &[Value], (open, close): (&str, &str), place: Place, out: &mut String) -> Result<()> {
    out.push_str(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
            new_line(budget, place.indent + 1, out)?;
        }
        let allowance = if index + 1 == items.len() { place.allowance + close.len() as i64 } else { 1 };
        format(budget, item, Place { indent: place.indent + 1, allowance, ..place }, out)?;
    }
    out.push_str(close);
    budget.make(2)
}

fn entries(budget: &Budget, dict: &Dict, place: Place, out: &mut String) -> Result<()> {
    out.push('{');
    let entries = sorted(budget, dict)?;
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(',');
            new_line(budget, place.indent + 1, out)?;
        }
        let key = one_line(budget, key, 0)?;
        budget.make(key.len() + 2)?;
        out.push_str(&key);
        out.push_str(": ");
        let allowance = if index + 1 == entries.len() { place.allowance + 1 } else { 1 };
        format(budget, value, Place { indent: place.indent + 1 + length(&key) + 2, allowance, ..place }, out)?;
    }
    out.push('}');
    budget.make(2)
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

/// A long string, as several that stand below one another.
fn string(budget: &Budget, text: &str, place: Place, out: &mut String) -> Result<()> {
    budget.make(4 * text.len())?;
    let (mut indent, mut allowance) = (place.indent, place.allowance);
    if place.level == 1 {
        indent += 1;
        allowance += 1;
    }
    let room = WIDTH - indent;
    let lines = lines(text, true);
    let mut chunks = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let last = index + 1 == lines.len();
        let whole = quoted(line);
        if length(&whole) <= room - if last { allowance } else { 0 } {
            chunks.push(whole);
            continue;
        }
        let parts = words(line);
        let mut current = String::new();
        for (number, part) in parts.iter().enumerate() {
            let room = room - if last && number + 1 == parts.len() { allowance } else { 0 };
            let candidate = format!("{current}{part}");
            budget.work(candidate.len())?;
            if length(&quoted(&candidate)) > room {
                if !current.is_empty() {
                    chunks.push(quoted(&current));
                }
                current = (*part).to_owned();
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(quoted(&current));
        }
    }
    let around = place.level == 1 && chunks.len() > 1;
    out.push_str(if around { "(" } else { "" });
    for (index, chunk) in chunks.iter().enumerate() {
        if index > 0 {
            new_line(budget, indent, out)?;
        }
        budget.make(chunk.len())?;
        out.push_str(chunk);
    }
    out.push_str(if around { ")" } else { "" });
    Ok(())
}

/// Words, each with the spaces behind it.
fn words(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(is_space).unwrap_or(rest.len());
        let end = rest[word..].find(|c| !is_space(c)).map_or(rest.len(), |spaces| word + spaces);
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}

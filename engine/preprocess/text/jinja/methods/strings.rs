//! The methods of strings. Those of HTML escape what they are given, and give HTML.

use std::sync::Arc;

use super::lines::{self, Ends};
use super::{cases, search};
use crate::preprocess::text::jinja::budget::{Budget, ITEM};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::format::braces::{self, Given};
use crate::preprocess::text::jinja::format::html::{escape, strip_tags};
use crate::preprocess::text::jinja::format::{entities, field};
use crate::preprocess::text::jinja::run::arguments::{Arguments, text as text_of};
use crate::preprocess::text::jinja::run::attributes::item;
use crate::preprocess::text::jinja::run::iterate::Source;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::number::index;
use crate::preprocess::text::jinja::value::{Dict, Key, Value};

pub(super) fn call(machine: &Machine<'_>, receiver: &Value, text: &Arc<str>, name: &str, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let markup = receiver.is_markup();
    budget.work(text.len())?;
    let made = |made: String| -> Result<Value> {
        budget.make(made.len())?;
        Ok(Value::text(made, markup))
    };
    // A part of the text; all of it is not copied.
    let part = |part: &str| -> Result<Value> {
        if part.len() == text.len() {
            return Ok(Value::text(text.clone(), markup));
        }
        budget.make(part.len())?;
        Ok(Value::text(part, markup))
    };
    let list = |pieces: Vec<&str>| -> Result<Value> {
        budget.make(text.len() + pieces.len() * ITEM)?;
        Value::list(budget, pieces.into_iter().map(|piece| Value::text(piece, markup)).collect())
    };
    match name {
        "strip" | "lstrip" | "rstrip" => {
            let bound = arguments.unnamed::<1>(name, 0)?;
            let set = bound.text(0)?;
            budget.work(text.len().saturating_mul(set.map_or(0, str::len)) / 16)?;
            let ends = match name {
                "strip" => Ends::Both,
                "lstrip" => Ends::Start,
                _ => Ends::End,
            };
            part(lines::strip(text, set, ends))
        }
        "split" | "rsplit" => {
            let bound = arguments.bind(name, ["sep", "maxsplit"], 0)?;
            let (separator, limit) = (bound.text(0)?, bound.integer(1, -1)?);
            if separator == Some("") {
                return Err(Error::value_error("empty separator"));
            }
            budget.make_items(text.len().min(usize::try_from(limit).unwrap_or(usize::MAX)) / 8)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            list(if name == "split" { lines::split(text, separator, limit) } else { lines::rsplit(text, separator, limit) })
        }
        "splitlines" => {
            let bound = arguments.bind(name, ["keepends"], 0)?;
            list(lines::lines(text, bound.truth(0, false)?))
        }
        "replace" => {
            let bound = arguments.unnamed::<3>(name, 2)?;
            let (old, new) = (text_of(bound.value(0))?, bound.value(1));
            let new = if markup { escape(budget, new)? } else { Arc::from(text_of(new)?) };
            replace(budget, text, old, &new, bound.integer(2, -1)?).map(|text| Value::text(text, markup))
        }
        "find" | "rfind" | "index" | "rindex" => search::find(text, name, &arguments.unnamed::<3>(name, 1)?),
        "count" => search::count(text, &arguments.unnamed::<3>(name, 1)?),
        "startswith" | "endswith" => search::starts_or_ends(text, name, &arguments.unnamed::<3>(name, 1)?),
        "removeprefix" | "removesuffix" => {
            let bound = arguments.unnamed::<1>(name, 1)?;
            let cut = text_of(bound.value(0))?;
            let rest = if name == "removeprefix" { text.strip_prefix(cut) } else { text.strip_suffix(cut) };
            part(rest.unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let bound = arguments.unnamed::<1>(name, 1)?;
            partition(budget, text, name, text_of(bound.value(0))?, markup)
        }
        "join" => join(machine, receiver, text, &arguments.unnamed::<1>(name, 1)?.value(0).clone()),
        "upper" | "lower" | "casefold" | "swapcase" | "capitalize" | "title" => {
            arguments.unnamed::<0>(name, 0)?;
            budget.work(text.len().saturating_mul(if text.is_ascii() { 2 } else { 8 }))?;
            made(match name {
                "upper" => text.to_uppercase(),
                "lower" => text.to_lowercase(),
                "casefold" => cases::casefold(text),
                "swapcase" => cases::swapcase(text),
                "capitalize" => cases::capitalize(text),
                _ => cases::title(text),
            })
        }
        "center" | "ljust" | "rjust" => {
            let bound = arguments.unnamed::<2>(name, 1)?;
            let fill = match bound.given(1) {
                None => Arc::from(" "),
                Some(fill) if markup => escape(budget, fill)?,
                Some(fill) => Arc::from(text_of(fill)?),
            };
            let mut chars = fill.chars();
            let (Some(fill), None) = (chars.next(), chars.next()) else {
                return Err(Error::type_error("The fill character must be exactly one character long"));
            };
            made(justify(budget, text, name, bound.integer(0, 0)?, fill)?)
        }
        "zfill" => {
            let width = arguments.unnamed::<1>(name, 1)?.integer(0, 0)?;
            let (sign, digits) = match text.strip_prefix(['+', '-']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", &**text),
            };
            made(sign.to_owned() + &justify(budget, digits, "rjust", width.saturating_sub(sign.len() as i64), '0')?)
        }
        "expandtabs" => made(expand_tabs(budget, text, arguments.bind(name, ["tabsize"], 0)?.integer(0, 8)?)?),
        "format" => braces::format(machine, text, Given::Arguments(arguments), markup),
        "format_map" => {
            let mapping = arguments.unnamed::<1>(name, 1)?.value(0).clone();
            braces::format(machine, text, Given::Mapping(mapping), markup)
        }
        "encode" => super::bytes::encode(machine, text, arguments),
        "translate" => translate(machine, text, arguments.unnamed::<1>(name, 1)?.value(0), markup),
        "maketrans" => make_table(machine, arguments),
        "unescape" => {
            arguments.unnamed::<0>(name, 0)?;
            Value::made(budget, entities::unescape(text))
        }
        "striptags" => {
            arguments.unnamed::<0>(name, 0)?;
            Value::made(budget, strip_tags(budget, text)?)
        }
        "escape" => Ok(Value::Markup(escape(budget, arguments.unnamed::<1>(name, 1)?.value(0))?)),
        _ if name.starts_with("is") => {
            arguments.unnamed::<0>(name, 0)?;
            budget.work(text.len().saturating_mul(if text.is_ascii() { 4 } else { 32 }))?;
            Ok(Value::Bool(cases::is(text, name)))
        }
        _ => Err(super::unknown(receiver, name)),
    }
}

/// `replace(old, new, count)`; all of them when the count is negative.
pub(crate) fn replace(budget: &Budget, text: &str, old: &str, new: &str, count: i64) -> Result<String> {
    budget.work(text.len())?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let places = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() }.min(limit);
    budget.make(text.len().saturating_add(places.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, limit))
}

fn partition(budget: &Budget, text: &str, name: &str, separator: &str, markup: bool) -> Result<Value> {
    if separator.is_empty() {
        return Err(Error::value_error("empty separator"));
    }
    let parts = match name {
        "partition" => text.split_once(separator).map_or([text, "", ""], |(before, after)| [before, separator, after]),
        _ => text.rsplit_once(separator).map_or(["", "", text], |(before, after)| [before, separator, after]),
    };
    budget.make(text.len())?;
    Value::tuple(budget, parts.into_iter().map(|part| Value::text(part, markup)).collect())
}

/// `separator.join(values)`
fn join(machine: &Machine<'_>, receiver: &Value, separator: &str, values: &Value) -> Result<Value> {
    let markup = receiver.is_markup();
    let mut out = String::new();
    let Ok(mut source) = Source::of(values) else { return Err(Error::type_error("can only join an iterable")) };
    let mut index = 0;
    while let Some(item) = source.next(machine)? {
        if index > 0 {
            machine.budget.make(separator.len())?;
            out.push_str(separator);
        }
        if markup {
            out.push_str(&escape(&machine.budget, &item)?);
        } else {
            let wrong = || Error::type_error(format!("sequence item {index}: expected str instance, {} found", item.type_name()));
            let text = item.as_str().ok_or_else(wrong)?;
            machine.budget.make(text.len())?;
            out.push_str(text);
        }
        index += 1;
    }
    Ok(Value::text(out, markup))
}

/// `center`, `ljust` and `rjust`
pub(crate) fn justify(budget: &Budget, text: &str, name: &str, width: i64, fill: char) -> Result<String> {
    let width = usize::try_from(width).unwrap_or(0);
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    budget.make(text.len().saturating_add(missing.saturating_mul(fill.len_utf8())))?;
    Ok(match name {
        "ljust" => field::pad(text, fill, '<', width),
        "rjust" => field::pad(text, fill, '>', width),
        _ => {
            // Python's own rule for what does not divide.
            let left = missing / 2 + (missing & width & 1);
            let fill = |count| std::iter::repeat_n(fill, count);
            fill(left).chain(text.chars()).chain(fill(missing - left)).collect()
        }
    })
}

fn expand_tabs(budget: &Budget, text: &str, size: i64) -> Result<String> {
    let size = usize::try_from(size).unwrap_or(0);
    budget.make(text.len().saturating_add(text.matches('\t').count().saturating_mul(size)))?;
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\t' => {}
            c => {
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                out.push(c);
            }
        }
    }
    Ok(out)
}

/// `translate(table)`: what a code point stands for is a code point, a text, or `None` for nothing.
fn translate(machine: &Machine<'_>, text: &str, table: &Value, markup: bool) -> Result<Value> {
    let mut out = String::with_capacity(text.len());
    table.defined()?;
    for c in text.chars() {
        machine.budget.make(ITEM)?;
        let key = Value::Int((c as u32).into());
        let found = match table {
            Value::Dict(dict) => dict.get(&machine.budget, &key)?.cloned(),
            _ if table.as_items().is_some() || table.as_str().is_some() => {
                Some(item(machine, table, &key)?).filter(|found| !found.is_undefined())
            }
            _ => return Err(Error::type_error(format!("'{}' object is not subscriptable", table.type_name()))),
        };
        match found {
            None => out.push(c),
            Some(Value::None) => {}
            Some(Value::Str(text) | Value::Markup(text)) => {
                machine.budget.make(text.len())?;
                out.push_str(&text);
            }
            Some(code) => {
                let code = index(&code).ok_or_else(|| Error::type_error("character mapping must return integer, None or str"))?;
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                out.push(c.ok_or_else(|| Error::value_error("character mapping must be in range(0x110000)"))?);
            }
        }
    }
    Ok(Value::text(out, markup))
}

/// `maketrans(table)`, or `maketrans(from, to, dropped)`
fn make_table(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.unnamed::<3>("maketrans", 1)?;
    let code = |c: char| Key::new(&machine.budget, Value::Int((c as u32).into()));
    let mut table = Dict::default();
    let Some(to) = bound.given(1) else {
        let Value::Dict(given) = bound.value(0) else {
            return Err(Error::type_error("if you give only one argument to maketrans it must be a dict"));
        };
        machine.budget.make_items(2 * given.len())?;
        for (key, value) in given.iter() {
            let key = match key.as_str() {
                None => Key::new(&machine.budget, key.clone())?,
                Some(text) => {
                    let mut chars = text.chars();
                    let (Some(c), None) = (chars.next(), chars.next()) else {
                        return Err(Error::value_error("string keys in translate table must be of length 1"));
                    };
                    code(c)?
                }
            };
            table.insert(key, value.clone());
        }
        return Value::dict(table);
    };
    let (from, to) = (text_of(bound.value(0))?, text_of(to)?);
    machine.budget.make_items(2 * from.len())?;
    if from.chars().count() != to.chars().count() {
        return Err(Error::value_error("the first two maketrans arguments must have equal length"));
    }
    for (from, to) in from.chars().zip(to.chars()) {
        table.insert(code(from)?, Value::Int((to as u32).into()));
    }
    for c in bound.text(2)?.unwrap_or_default().chars() {
        table.insert(code(c)?, Value::None);
    }
    Value::dict(table)
}

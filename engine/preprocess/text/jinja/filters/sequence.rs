//! Filters of sequences.

use std::cell::RefCell;

use super::getter::Getter;
use super::lazy::{Step, generator};
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::format::html::escape;
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::attributes::item;
use crate::preprocess::text::jinja::run::iterate::{Source, collect, length as length_of, reversed};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::repr::{str_of, write_str};
use crate::preprocess::text::jinja::value::{Thing, Value};

/// The only argument of a filter.
fn only(arguments: Arguments, name: &str) -> Result<Value> {
    Ok(arguments.bind(name, ["value"], 1)?.value(0).clone())
}

pub(super) fn length(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let value = only(arguments, "len")?;
    match length_of(machine, &value)? {
        Some(length) => Ok(Value::from(length)),
        None => Err(Error::type_error(format!("object of type '{}' has no len()", value.type_name()))),
    }
}

pub(super) fn list(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    Value::list(&machine.budget, collect(machine, &only(arguments, "do_list")?)?)
}

pub(super) fn items(_: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    generator(only(arguments, "do_items")?, Step::Items)
}

pub(super) fn first(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let value = arguments.bind("do_first", ["seq"], 1)?.value(0).clone();
    Ok(Source::of(&value)?.next(machine)?.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
}

pub(super) fn last(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let value = arguments.bind("do_last", ["seq"], 1)?.value(0).clone();
    let last = match &value {
        Value::Str(text) | Value::Markup(text) => {
            text.chars().next_back().map(|c| Value::text(&*c.encode_utf8(&mut [0; 4]), value.is_markup()))
        }
        _ => reversed(machine, &value)?.next(machine)?,
    };
    Ok(last.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
}

pub(super) fn random(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let value = arguments.bind("do_random", ["seq"], 1)?.value(0).clone();
    let Some(length) = length_of(machine, &value)? else {
        return Err(Error::type_error(format!("object of type '{}' has no len()", value.type_name())));
    };
    if length == 0 {
        return Ok(Value::undefined("No random item, sequence was empty."));
    }
    let index = Value::from(machine.random(length as u64) as usize);
    if let Value::Dict(dict) = &value {
        return dict.get(&machine.budget, &index)?.cloned().ok_or_else(|| Error::new(Kind::Key, "no such key"));
    }
    let found = item(machine, &value, &index)?;
    if found.is_undefined() {
        return Err(Error::type_error(format!("'{}' object is not subscriptable", value.type_name())));
    }
    Ok(found)
}

pub(super) fn reverse(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let value = only(arguments, "do_reverse")?;
    if let Some(text) = value.as_str() {
        machine.budget.make(text.len())?;
        machine.budget.work(4 * text.len())?;
        return Ok(Value::text(text.chars().rev().collect::<String>(), value.is_markup()));
    }
    let name = match &value {
        Value::List(_) => "list_reverseiterator",
        Value::Dict(_) => "dict_reversekeyiterator",
        Value::Tuple(_) => "reversed",
        _ => "range_iterator",
    };
    if let Ok(source) = reversed(machine, &value) {
        return Value::object(Thing::Iterator(RefCell::new(source), name));
    }
    if !Source::can(&value) {
        return Err(Error::new(Kind::Argument, "argument must be iterable"));
    }
    let mut items = collect(machine, &value)?;
    items.reverse();
    Value::list(&machine.budget, items)
}

/// `join(value, d="", attribute=None)`
pub(super) fn join(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let bound = arguments.bind("do_join", ["value", "d", "attribute"], 1)?;
    let getter = Getter::new(machine, bound.some(2))?;
    let empty = Value::from("");
    let d = bound.given(1).unwrap_or(&empty);
    let mut source = Source::of(bound.value(0))?;
    if !machine.autoescape.get() {
        let separator = str_of(budget, d)?;
        let mut out = String::new();
        let mut first = true;
        while let Some(item) = source.next(machine)? {
            if !std::mem::take(&mut first) {
                budget.make(separator.len())?;
                out.push_str(&separator);
            }
            write_str(budget, &getter.get(machine, &item)?, &mut out)?;
        }
        return Ok(Value::str(out));
    }
    let items = source.rest(machine)?.iter().map(|item| getter.get(machine, item)).collect::<Result<Vec<_>>>()?;
    let markup = d.is_markup() || items.iter().any(Value::is_markup);
    let text = |value: &Value| if markup { escape(budget, value) } else { str_of(budget, value) };
    let separator = text(d)?;
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&separator);
        }
        let item = text(item)?;
        budget.make(separator.len() + item.len())?;
        out.push_str(&item);
    }
    Ok(Value::text(out, markup))
}

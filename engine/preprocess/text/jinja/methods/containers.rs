//! The methods of lists, tuples, ranges and dictionaries.

use std::rc::Rc;

use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::iterate::{Source, collect};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::order::{contains, equal};
use crate::preprocess::text::jinja::value::object::View;
use crate::preprocess::text::jinja::value::repr::repr;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};

pub(super) fn dict(machine: &Machine<'_>, receiver: &Value, dict: &Rc<Dict>, name: &str, arguments: Arguments) -> Result<Value> {
    let view = |view| Value::object(Thing::View(view, dict.clone()));
    match name {
        "get" => {
            let bound = arguments.unnamed::<2>("get", 1)?;
            let found = dict.get(&machine.budget, bound.value(0))?;
            Ok(found.or(bound.given(1)).cloned().unwrap_or(Value::None))
        }
        "fromkeys" => from_keys(machine, arguments),
        "items" | "keys" | "values" | "copy" => {
            arguments.unnamed::<0>(name, 0)?;
            match name {
                "items" => view(View::Items),
                "keys" => view(View::Keys),
                "values" => view(View::Values),
                _ => {
                    machine.budget.make_items(2 * dict.len())?;
                    Value::dict(Dict::clone(dict))
                }
            }
        }
        _ => Err(super::unknown(receiver, name)),
    }
}

/// `dict.fromkeys(keys, value)`
pub(super) fn from_keys(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.unnamed::<2>("fromkeys", 1)?;
    let mut dict = Dict::default();
    let mut source = Source::of(bound.value(0))?;
    while let Some(key) = source.next(machine)? {
        machine.budget.make_items(2)?;
        dict.insert(Key::new(&machine.budget, key)?, bound.value(1).clone());
    }
    Value::dict(dict)
}

pub(super) fn is_disjoint(machine: &Machine<'_>, receiver: &Value, arguments: Arguments) -> Result<Value> {
    let bound = arguments.unnamed::<1>("isdisjoint", 1)?;
    let mut source = Source::of(bound.value(0))?;
    while let Some(item) = source.next(machine)? {
        if contains(machine, receiver, &item)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

pub(super) fn sequence(machine: &Machine<'_>, receiver: &Value, name: &str, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    match name {
        "copy" => {
            arguments.unnamed::<0>(name, 0)?;
            Value::list(budget, collect(machine, receiver)?)
        }
        "count" => {
            let bound = arguments.unnamed::<1>(name, 1)?;
            let mut count = 0usize;
            for item in collect(machine, receiver)? {
                count += usize::from(item.is(bound.value(0)) || equal(budget, &item, bound.value(0))?);
            }
            Ok(Value::from(count))
        }
        "index" => {
            let bound = arguments.unnamed::<3>(name, 1)?;
            let items = collect(machine, receiver)?;
            let length = items.len() as i64;
            let clamp = |place: i64| if place < 0 { place.saturating_add(length).max(0) } else { place.min(length) };
            let (start, stop) = (clamp(bound.integer(1, 0)?), clamp(bound.integer(2, length)?));
            for place in start..stop {
                let Some(item) = items.get(place as usize) else { break };
                if item.is(bound.value(0)) || equal(budget, item, bound.value(0))? {
                    return Ok(Value::from(place));
                }
            }
            let message = match receiver {
                Value::Tuple(_) => "tuple.index(x): x not in tuple".to_owned(),
                _ => format!("{} is not in {}", repr(budget, bound.value(0))?, receiver.type_name()),
            };
            Err(Error::value_error(message))
        }
        _ => Err(super::unknown(receiver, name)),
    }
}

//! Filters that pick attributes and items.

use super::getter::Getter;
use super::lazy::{Step, generator};
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::attributes::{attribute, exists};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::operators::truth;
use crate::preprocess::text::jinja::value::Value;

/// `default(value, default_value="", boolean=False)`
pub(super) fn default(_: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_default", ["value", "default_value", "boolean"], 1)?;
    let value = bound.value(0);
    if value.is_undefined() || (bound.truth(2, false)? && !truth(value)?) {
        return Ok(bound.given(1).cloned().unwrap_or_else(|| Value::from("")));
    }
    Ok(value.clone())
}

/// `attr(obj, name)`
pub(super) fn attr(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_attr", ["obj", "name"], 2)?;
    let (value, Some(name)) = (bound.value(0), bound.value(1).as_str()) else {
        return Err(Error::type_error("attribute name must be string"));
    };
    if value.is_undefined() || exists(machine, value, name)? {
        return attribute(machine, value, name);
    }
    Ok(Value::undefined(format!("'{}' has no attribute '{name}'", value.described())))
}

/// What is filtered, and the other arguments.
fn parted(mut arguments: Arguments, name: &str) -> Result<(Value, Arguments)> {
    if arguments.positional.is_empty() {
        return Err(Error::type_error(format!("{name}() missing 1 required positional argument: 'value'")));
    }
    let value = arguments.positional.remove(0);
    Ok((value, arguments))
}

/// `map(value, attribute=..., default=...)` or `map(value, filter, ...)`
pub(super) fn map(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let (value, arguments) = parted(arguments, "sync_do_map")?;
    let step = mapped(machine, arguments).unwrap_or_else(Step::Wrong);
    generator(value, step)
}

fn mapped(machine: &Machine<'_>, mut arguments: Arguments) -> Result<Step> {
    if arguments.positional.is_empty()
        && let Some(path) = arguments.take("attribute")
    {
        let default = arguments.take("default").filter(|default| !default.is_none());
        if let Some((name, _)) = arguments.keywords.first() {
            return Err(Error::new(Kind::Argument, format!("Unexpected keyword argument '{name}'")));
        }
        let path = Some(&path).filter(|path| !path.is_none());
        return Ok(Step::Attribute(Getter::new(machine, path)?.with_default(default)));
    }
    if arguments.positional.is_empty() {
        return Err(Error::new(Kind::Argument, "map requires a filter argument"));
    }
    let name = name_of(&arguments.positional.remove(0), "filter")?;
    Ok(Step::Filter { name, arguments })
}

fn name_of(value: &Value, what: &str) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| Error::new(Kind::Runtime, format!("No {what} named {}.", value.type_name())))
}

pub(super) fn select(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    selection(machine, arguments, false, true)
}

pub(super) fn reject(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    selection(machine, arguments, false, false)
}

pub(super) fn selectattr(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    selection(machine, arguments, true, true)
}

pub(super) fn rejectattr(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    selection(machine, arguments, true, false)
}

fn selection(machine: &Machine<'_>, arguments: Arguments, by_attribute: bool, wanted: bool) -> Result<Value> {
    let (value, arguments) = parted(arguments, "select_or_reject")?;
    let step = selected(machine, arguments, by_attribute, wanted).unwrap_or_else(Step::Wrong);
    generator(value, step)
}

fn selected(machine: &Machine<'_>, mut arguments: Arguments, by_attribute: bool, wanted: bool) -> Result<Step> {
    let getter = if by_attribute {
        if arguments.positional.is_empty() {
            return Err(Error::new(Kind::Argument, "Missing parameter for attribute name"));
        }
        let path = arguments.positional.remove(0);
        Some(Getter::new(machine, Some(&path).filter(|path| !path.is_none()))?)
    } else {
        None
    };
    let test = if arguments.positional.is_empty() { None } else { Some(name_of(&arguments.positional.remove(0), "test")?) };
    Ok(Step::Select { getter, test, arguments, wanted })
}

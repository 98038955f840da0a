//! `value.name` and `value[key]`, within what Jinja's sandbox allows: nothing that begins with an underscore, and no method that changes a
//! value.

use std::rc::Rc;

use super::looped;
use super::machine::Machine;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::value::number::{Number, index, positive};
use crate::preprocess::text::jinja::value::repr::repr;
use crate::preprocess::text::jinja::value::{Thing, Undefined, Value};

/// What all of Python's objects have.
const INTERNAL: &[&str] = &[
    "__class__",
    "__doc__",
    "__init__",
    "__new__",
    "__dict__",
    "__module__",
    "__repr__",
    "__str__",
    "__eq__",
    "__ne__",
    "__hash__",
    "__reduce__",
    "__reduce_ex__",
    "__getattribute__",
    "__setattr__",
    "__delattr__",
    "__dir__",
    "__format__",
    "__sizeof__",
    "__subclasshook__",
];

/// What strings, lists and the like have besides, and what is not defined.
const OF_CONTAINERS: &[&str] = &[
    "__len__",
    "__iter__",
    "__contains__",
    "__getitem__",
    "__add__",
    "__radd__",
    "__mul__",
    "__rmul__",
    "__mod__",
    "__rmod__",
    "__call__",
    "__reversed__",
    "__getnewargs__",
];

fn is_internal(value: &Value, name: &str) -> bool {
    let is_number = matches!(value, Value::None | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_));
    INTERNAL.contains(&name)
        || (!is_number && OF_CONTAINERS.contains(&name))
        || (value.is_markup() && matches!(name, "__html__" | "__html_format__"))
}

/// `value.name`
pub(crate) fn attribute(machine: &Machine<'_>, value: &Value, name: &str) -> Result<Value> {
    if !(value.is_undefined() && is_internal(value, name)) {
        value.defined()?;
    }
    machine.budget.work(name.len())?;
    if let Some(found) = own_attribute(machine, value, name)? {
        return Ok(found);
    }
    match value {
        Value::Dict(dict) => Ok(dict.get_str(name).cloned().unwrap_or_else(|| no_attribute(value, name))),
        Value::Object(object) => match &object.thing {
            Thing::Template => block(machine, value, name),
            _ => Ok(no_attribute(value, name)),
        },
        _ => Ok(no_attribute(value, name)),
    }
}

/// `value[key]`
pub(crate) fn item(machine: &Machine<'_>, value: &Value, key: &Value) -> Result<Value> {
    value.defined()?;
    if let Some(found) = element(machine, value, key)? {
        return Ok(found);
    }
    if let Some(name) = key.as_str() {
        if let Some(found) = own_attribute(machine, value, name)? {
            return Ok(found);
        }
        return Ok(no_attribute(value, name));
    }
    Ok(Value::undefined(format!("{} has no element {}", value.described(), repr(&machine.budget, key)?)))
}

/// What a list, a string or a dictionary holds at a key.
fn element(machine: &Machine<'_>, value: &Value, key: &Value) -> Result<Option<Value>> {
    let place = |length: usize| {
        let index = index(key)?;
        usize::try_from(if index < 0 { index.checked_add(length as i64)? } else { index }).ok()
    };
    Ok(match value {
        Value::List(_) | Value::Tuple(_) => {
            let items = value.as_items().unwrap_or_default();
            place(items.len()).and_then(|place| items.get(place)).cloned()
        }
        Value::Str(text) | Value::Markup(text) if index(key).is_some() => {
            let markup = value.is_markup();
            if text.is_ascii() {
                machine.budget.work(text.len() / 16)?;
                return Ok(place(text.len()).and_then(|place| text.get(place..place + 1)).map(|c| Value::text(c, markup)));
            }
            machine.budget.work(2 * text.len())?;
            let found = place(text.chars().count()).and_then(|place| text.chars().nth(place));
            found.map(|c| Value::text(&*c.encode_utf8(&mut [0; 4]), markup))
        }
        Value::Dict(dict) => match dict.get(&machine.budget, key) {
            Ok(found) => found.cloned(),
            // A key that cannot be one is not there.
            Err(error) if error.kind() == Kind::Type => None,
            Err(error) => return Err(error),
        },
        Value::Object(object) => match &object.thing {
            Thing::Range(range) => place(range.len()).and_then(|place| range.get(place)).map(Value::Int),
            Thing::Bytes(bytes) => place(bytes.len()).and_then(|place| bytes.get(place)).map(|byte| Value::Int((*byte).into())),
            Thing::Template => match key.as_str() {
                Some(name) => Some(block(machine, value, name)?),
                None => None,
            },
            _ => None,
        },
        _ => None,
    })
}

fn block(machine: &Machine<'_>, value: &Value, name: &str) -> Result<Value> {
    match machine.template.blocks.iter().position(|block| &*block.name == name) {
        Some(index) => Value::object(Thing::Block(index)),
        None => Ok(no_attribute(value, name)),
    }
}

fn no_attribute(value: &Value, name: &str) -> Value {
    Value::undefined(format!("'{}' has no attribute '{name}'", value.described()))
}

/// An attribute that Python's object itself has; one that the sandbox hides is undefined.
pub(crate) fn own_attribute(machine: &Machine<'_>, value: &Value, name: &str) -> Result<Option<Value>> {
    let hidden = || {
        let message = format!("access to attribute '{name}' of '{}' object is unsafe.", value.type_name());
        Some(Value::Undefined(Rc::new(Undefined { message, kind: Kind::Security })))
    };
    if name.starts_with("__") && is_internal(value, name) {
        return Ok(hidden());
    }
    if let Some(found) = methods::find(value, name) {
        let changes = match value {
            Value::List(_) => methods::CHANGES_LIST.contains(&name),
            Value::Dict(_) => methods::CHANGES_DICT.contains(&name),
            _ => false,
        };
        return if changes { Ok(hidden()) } else { Value::object(Thing::Method { receiver: value.clone(), name: found }).map(Some) };
    }
    Ok(match value {
        Value::Tuple(tuple) if tuple.grouped => match name {
            "grouper" => tuple.items.first().cloned(),
            "list" => tuple.items.get(1).cloned(),
            _ => None,
        },
        Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => match (name, Number::of(value)) {
            ("real", Some(number)) => Some(positive(number)),
            ("imag", Some(Number::Float(_))) => Some(Value::Float(0.0)),
            ("imag", _) => Some(Value::Int(0)),
            ("numerator", Some(number)) if !matches!(value, Value::Float(_)) => Some(positive(number)),
            ("denominator", _) if !matches!(value, Value::Float(_)) => Some(Value::Int(1)),
            _ => None,
        },
        Value::Object(object) => return thing(machine, value, &object.thing, name),
        _ => None,
    })
}

fn thing(machine: &Machine<'_>, value: &Value, thing: &Thing, name: &str) -> Result<Option<Value>> {
    let budget = &machine.budget;
    let method = |names: &[&'static str]| {
        let found = names.iter().copied().find(|known| *known == name);
        found.map(|name| Value::object(Thing::Method { receiver: value.clone(), name })).transpose()
    };
    Ok(match thing {
        Thing::Namespace(attributes) => attributes.borrow().get_str(name).cloned(),
        Thing::Loop(state) => match method(looped::METHODS)? {
            Some(method) => Some(method),
            None => state.attribute(machine, name)?,
        },
        Thing::Cycler { items, place } => match name {
            "current" => items.get(place.get()).cloned(),
            "pos" => Some(Value::from(place.get())),
            "items" => Some(Value::tuple(budget, items.clone())?),
            _ => method(&["next", "reset"])?,
        },
        Thing::Joiner { separator, used } => match name {
            "sep" => Some(separator.clone()),
            "used" => Some(Value::Bool(used.get())),
            _ => None,
        },
        Thing::View(_, dict) if name == "mapping" => Some(Value::Dict(dict.clone())),
        Thing::Range(range) => match name {
            "start" => Some(Value::Int(range.start)),
            "stop" => Some(Value::Int(range.stop)),
            "step" => Some(Value::Int(range.step)),
            _ => None,
        },
        Thing::Macro(called) => {
            let Some(defined) = machine.template.macros.get(called.index) else { return Ok(None) };
            let names = || defined.parameters.iter().map(|parameter| Value::Str(parameter.name.clone())).collect();
            let explicit = defined.parameters.iter().any(|parameter| &*parameter.name == "caller");
            match name {
                "name" => Some(called.name.clone().map_or(Value::None, Value::Str)),
                "arguments" => Some(Value::tuple(budget, names())?),
                "catch_kwargs" => Some(Value::Bool(defined.kwargs.is_some())),
                "catch_varargs" => Some(Value::Bool(defined.varargs.is_some())),
                "caller" => Some(Value::Bool(defined.caller.is_some())),
                "explicit_caller" => Some(Value::Bool(explicit)),
                _ => None,
            }
        }
        Thing::Function("dict") => method(&["fromkeys"])?,
        Thing::Block(_) if name == "name" => None,
        _ => None,
    })
}

/// Whether an attribute of this name exists at all, as `hasattr` says.
pub(crate) fn exists(machine: &Machine<'_>, value: &Value, name: &str) -> Result<bool> {
    match own_attribute(machine, value, name) {
        Ok(found) => Ok(found.is_some()),
        Err(error) if error.kind() == Kind::Limit => Err(error),
        Err(_) => Ok(false),
    }
}

/// An attribute of a namespace is set; Transformers allows none with an underscore.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !name.starts_with('_') {
        return Ok(());
    }
    let message = "Chat templates cannot store underscore-prefixed attributes on a namespace, but got";
    Err(Error::new(Kind::Security, format!("{message} '{name}'. Please rename the attribute.")))
}

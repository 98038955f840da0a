//! Going through values one by one.

use std::rc::Rc;
use std::sync::Arc;

use super::machine::Machine;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::filters::lazy::Lazy;
use crate::preprocess::text::jinja::value::object::{Characters, Range, View};
use crate::preprocess::text::jinja::value::{Dict, Object, Thing, Value};

/// What is left of something that is gone through.
#[derive(Debug)]
pub(crate) enum Source {
    Nothing,
    /// A list or a tuple, and the place.
    Items(Value, usize),
    /// One from its end; so many are left.
    Reversed(Value, usize),
    Characters(Characters),
    Range(Range, usize),
    Bytes(Arc<[u8]>, usize),
    View(View, Rc<Dict>, usize),
    ReversedView(View, Rc<Dict>, usize),
    Own(std::vec::IntoIter<Value>, u32),
    /// An iterator, which others may read from as well.
    Shared(Rc<Object>),
    /// A loop gives its items, each with the loop.
    Loop(Rc<Object>),
    Lazy(Box<Lazy>),
}

impl Source {
    /// `iter(value)`
    pub(crate) fn of(value: &Value) -> Result<Self> {
        Ok(match value {
            Value::Undefined(_) => Self::Nothing,
            Value::Str(text) | Value::Markup(text) => Self::Characters(Characters { text: text.clone(), place: 0 }),
            Value::List(_) | Value::Tuple(_) => Self::Items(value.clone(), 0),
            Value::Dict(dict) => Self::View(View::Keys, dict.clone(), 0),
            Value::Object(object) => match &object.thing {
                Thing::Range(range) => Self::Range(*range, 0),
                Thing::Bytes(bytes) => Self::Bytes(bytes.clone(), 0),
                Thing::Set(set) => Self::View(View::Keys, set.clone(), 0),
                Thing::View(view, dict) => Self::View(*view, dict.clone(), 0),
                Thing::Iterator(..) => Self::Shared(object.clone()),
                Thing::Loop(_) => Self::Loop(object.clone()),
                _ => return Err(not_iterable(value)),
            },
            _ => return Err(not_iterable(value)),
        })
    }

    /// Whether `iter(value)` works.
    pub(crate) fn can(value: &Value) -> bool {
        Self::of(value).is_ok()
    }

    /// Values in a list of their own.
    pub(crate) fn own(values: Vec<Value>) -> Self {
        let depth = crate::preprocess::text::jinja::value::deepest(&values);
        Self::Own(values.into_iter(), depth)
    }

    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::Items(value, _) | Self::Reversed(value, _) => value.depth(),
            Self::View(_, dict, _) | Self::ReversedView(_, dict, _) => dict.depth(),
            Self::Own(_, depth) => *depth,
            Self::Shared(object) | Self::Loop(object) => object.depth(),
            Self::Lazy(lazy) => lazy.depth(),
            Self::Nothing | Self::Characters(_) | Self::Range(..) | Self::Bytes(..) => 0,
        }
    }

    /// The next value.
    pub(crate) fn next(&mut self, machine: &Machine<'_>) -> Result<Option<Value>> {
        machine.budget.items(1)?;
        Ok(match self {
            Self::Nothing => None,
            Self::Items(value, place) => {
                let item = value.as_items().and_then(|items| items.get(*place)).cloned();
                *place += 1;
                item
            }
            Self::Reversed(value, left) => {
                let Some(next) = left.checked_sub(1) else { return Ok(None) };
                *left = next;
                match value {
                    Value::Object(object) => match &object.thing {
                        Thing::Range(range) => range.get(next).map(Value::Int),
                        _ => None,
                    },
                    _ => value.as_items().and_then(|items| items.get(next)).cloned(),
                }
            }
            Self::Characters(characters) => {
                let rest = characters.text.get(characters.place..).unwrap_or_default();
                let Some(c) = rest.chars().next() else { return Ok(None) };
                characters.place += c.len_utf8();
                machine.budget.make(c.len_utf8())?;
                Some(Value::from(&*c.encode_utf8(&mut [0; 4])))
            }
            Self::Range(range, place) => {
                let item = range.get(*place).map(Value::Int);
                *place += 1;
                item
            }
            Self::Bytes(bytes, place) => {
                let item = bytes.get(*place).map(|byte| Value::Int((*byte).into()));
                *place += 1;
                item
            }
            Self::View(view, dict, place) => {
                let item = entry(machine, *view, dict, *place)?;
                *place += 1;
                item
            }
            Self::ReversedView(view, dict, left) => {
                let Some(next) = left.checked_sub(1) else { return Ok(None) };
                *left = next;
                entry(machine, *view, dict, next)?
            }
            Self::Own(values, _) => values.next(),
            Self::Shared(object) => {
                let Thing::Iterator(source, _) = &object.thing else { return Ok(None) };
                let Ok(mut source) = source.try_borrow_mut() else { return Err(Error::value_error("generator already executing")) };
                machine.budget.enter()?;
                let item = source.next(machine);
                machine.budget.leave();
                item?
            }
            Self::Loop(object) => {
                let Thing::Loop(state) = &object.thing else { return Ok(None) };
                match state.next(machine)? {
                    Some(item) => Some(Value::tuple(&machine.budget, vec![item, Value::Object(object.clone())])?),
                    None => None,
                }
            }
            Self::Lazy(lazy) => {
                machine.budget.enter()?;
                let item = lazy.next(machine);
                machine.budget.leave();
                item?
            }
        })
    }

    /// All values that are left.
    pub(crate) fn rest(&mut self, machine: &Machine<'_>) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        while let Some(item) = self.next(machine)? {
            machine.budget.make_items(1)?;
            all.push(item);
        }
        Ok(all)
    }
}

/// An entry of a dictionary, as a view shows it.
fn entry(machine: &Machine<'_>, view: View, dict: &Dict, index: usize) -> Result<Option<Value>> {
    let Some((key, value)) = dict.at(index) else { return Ok(None) };
    Ok(Some(match view {
        View::Keys => key.clone(),
        View::Values => value.clone(),
        View::Items => Value::tuple(&machine.budget, vec![key.clone(), value.clone()])?,
    }))
}

fn not_iterable(value: &Value) -> Error {
    Error::type_error(format!("'{}' object is not iterable", value.type_name()))
}

/// `list(value)`
pub(crate) fn collect(machine: &Machine<'_>, value: &Value) -> Result<Vec<Value>> {
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let items = value.as_items().unwrap_or_default();
            machine.budget.make_items(items.len())?;
            Ok(items.to_vec())
        }
        _ => Source::of(value)?.rest(machine),
    }
}

/// `len(value)`, where it has one.
pub(crate) fn length(machine: &Machine<'_>, value: &Value) -> Result<Option<usize>> {
    Ok(match value {
        Value::Undefined(_) => Some(0),
        Value::Str(text) | Value::Markup(text) => {
            machine.budget.work(text.len() / 8)?;
            Some(text.chars().count())
        }
        Value::List(_) | Value::Tuple(_) => value.as_items().map(<[Value]>::len),
        Value::Dict(dict) => Some(dict.len()),
        Value::Object(object) => match &object.thing {
            Thing::Range(range) => Some(range.len()),
            Thing::Bytes(bytes) => Some(bytes.len()),
            Thing::View(_, dict) | Thing::Set(dict) => Some(dict.len()),
            Thing::Loop(state) => Some(state.length(machine)?),
            _ => None,
        },
        _ => None,
    })
}

/// `reversed(value)`
pub(crate) fn reversed(machine: &Machine<'_>, value: &Value) -> Result<Source> {
    let wrong = || Error::type_error(format!("'{}' object is not reversible", value.type_name()));
    if value.is_undefined() {
        return Ok(Source::Nothing);
    }
    let Some(length) = length(machine, value)? else { return Err(wrong()) };
    Ok(match value {
        Value::List(_) | Value::Tuple(_) => Source::Reversed(value.clone(), length),
        Value::Str(text) | Value::Markup(text) => {
            machine.budget.make_items(length)?;
            Source::own(text.chars().rev().map(|c| Value::text(&*c.encode_utf8(&mut [0; 4]), value.is_markup())).collect())
        }
        Value::Dict(dict) => Source::ReversedView(View::Keys, dict.clone(), length),
        Value::Object(object) => match &object.thing {
            Thing::Range(_) => Source::Reversed(value.clone(), length),
            Thing::Bytes(bytes) => Source::own(bytes.iter().rev().map(|byte| Value::Int((*byte).into())).collect()),
            Thing::View(view, dict) => Source::ReversedView(*view, dict.clone(), length),
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    })
}

//! Operators, and what counts as true.

use super::iterate::{Source, collect};
use super::machine::Machine;
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::format::html::escape;
use crate::preprocess::text::jinja::format::percent;
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::syntax::tree::{Binary, Unary};
use crate::preprocess::text::jinja::value::number::{Number, arithmetic, index, negative, positive};
use crate::preprocess::text::jinja::value::object::View;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};

impl Binary {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "** or pow()",
        }
    }
}

/// `bool(value)`; a loop, whose length may have to be found out, is true while it runs.
pub(crate) fn truth(value: &Value) -> Result<bool> {
    Ok(match value {
        Value::Undefined(_) | Value::None => false,
        Value::Bool(value) => *value,
        Value::Int(value) => *value != 0,
        Value::Big(_) => true,
        Value::Float(value) => *value != 0.0,
        Value::Str(text) | Value::Markup(text) => !text.is_empty(),
        Value::List(list) => !list.items.is_empty(),
        Value::Tuple(tuple) => !tuple.items.is_empty(),
        Value::Dict(dict) => dict.len() > 0,
        Value::Object(object) => match &object.thing {
            Thing::Range(range) => range.len() > 0,
            Thing::Bytes(bytes) => !bytes.is_empty(),
            Thing::View(_, dict) | Thing::Set(dict) => dict.len() > 0,
            _ => true,
        },
    })
}

/// `-value` and `+value`
pub(super) fn unary(operator: Unary, value: &Value) -> Result<Value> {
    let number = Number::of(value.defined()?).ok_or_else(|| {
        let sign = if operator == Unary::Negative { '-' } else { '+' };
        Error::type_error(format!("bad operand type for unary {sign}: '{}'", value.type_name()))
    })?;
    Ok(if operator == Unary::Negative { negative(&number) } else { positive(number) })
}

/// An operator between two values.
pub(crate) fn binary(machine: &Machine<'_>, operator: Binary, left: &Value, right: &Value) -> Result<Value> {
    let budget = &machine.budget;
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return arithmetic(budget, operator, &left, &right);
    }
    if operator == Binary::Modulo
        && let Some(text) = left.as_str()
    {
        return percent::format(machine, text, right, left.is_markup());
    }
    left.defined()?;
    right.defined()?;
    if let (Some(Thing::Bytes(first)), Binary::Add, Some(Thing::Bytes(second))) = (left.thing(), operator, right.thing()) {
        return methods::bytes::value(machine, [&**first, &**second].concat());
    }
    if let (Binary::Subtract, Some(Thing::View(..)), true) = (operator, left.thing(), Source::can(right)) {
        return difference(machine, left, right);
    }
    let unsupported = || {
        let (left, right) = (left.type_name(), right.type_name());
        let message = format!("unsupported operand type(s) for {}: '{left}' and '{right}'", operator.symbol());
        Error::type_error(message)
    };
    match operator {
        Binary::Add => match (left, right) {
            (Value::List(first), Value::List(second)) => joined(budget, &first.items, &second.items, Value::list),
            (Value::Tuple(first), Value::Tuple(second)) => joined(budget, &first.items, &second.items, Value::tuple),
            _ => match (left.as_str(), right.as_str()) {
                (Some(first), Some(second)) => add_text(budget, (left, first), (right, second)),
                (Some(_), None) => Err(Error::type_error(format!("can only concatenate str (not \"{}\") to str", right.type_name()))),
                _ => Err(unsupported()),
            },
        },
        Binary::Multiply if matches!(left, Value::Big(_)) || matches!(right, Value::Big(_)) => {
            let other = if matches!(left, Value::Big(_)) { right } else { left };
            if other.as_str().is_none() && other.as_items().is_none() {
                return Err(unsupported());
            }
            Err(Error::new(Kind::Overflow, "cannot fit 'int' into an index-sized integer"))
        }
        Binary::Multiply => match (index(left), index(right)) {
            (None, Some(times)) => repeated(budget, left, times).ok_or_else(unsupported)?,
            (Some(times), None) => repeated(budget, right, times).ok_or_else(unsupported)?,
            _ => Err(unsupported()),
        },
        _ => Err(unsupported()),
    }
}

/// What a dictionary's keys or pairs have that another lacks: a set, here in the order of the dictionary.
fn difference(machine: &Machine<'_>, left: &Value, right: &Value) -> Result<Value> {
    if matches!(left.thing(), Some(Thing::View(View::Values, _))) {
        let (left, right) = (left.type_name(), right.type_name());
        return Err(Error::type_error(format!("unsupported operand type(s) for -: '{left}' and '{right}'")));
    }
    let mut set = Dict::default();
    for item in collect(machine, left)? {
        set.insert(Key::new(&machine.budget, item)?, Value::None);
    }
    for item in collect(machine, right)? {
        set.remove(&Key::new(&machine.budget, item)?);
    }
    Value::object(Thing::Set(set.into()))
}

/// Two strings; what is added to HTML is escaped.
fn add_text(budget: &Budget, (left, first): (&Value, &str), (right, second): (&Value, &str)) -> Result<Value> {
    let markup = left.is_markup() || right.is_markup();
    budget.make(first.len() + second.len())?;
    if !markup {
        return Ok(Value::str([first, second].concat()));
    }
    let (first, second) = (escape(budget, left)?, escape(budget, right)?);
    Ok(Value::text([&*first, &*second].concat(), true))
}

fn joined(budget: &Budget, left: &[Value], right: &[Value], make: fn(&Budget, Vec<Value>) -> Result<Value>) -> Result<Value> {
    budget.make_items(left.len() + right.len())?;
    make(budget, left.iter().chain(right).cloned().collect())
}

fn repeated(budget: &Budget, value: &Value, times: i64) -> Option<Result<Value>> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = value.as_str() {
        return Some(budget.make(text.len().saturating_mul(times)).map(|()| {
            // Of nothing there is nothing, however often.
            let times = if text.is_empty() { 0 } else { times };
            Value::text(text.repeat(times), value.is_markup())
        }));
    }
    let items = value.as_items()?;
    let count = items.len().saturating_mul(times);
    Some(budget.make_items(count).and_then(|()| {
        let times = if items.is_empty() { 0 } else { times };
        let copies = std::iter::repeat_n(items, times).flatten().cloned().collect();
        if matches!(value, Value::List(_)) { Value::list(budget, copies) } else { Value::tuple(budget, copies) }
    }))
}

//! Comparing values; all that is looked at is paid for.

use std::cmp::Ordering;

use super::iterate::Source;
use super::machine::Machine;
use crate::preprocess::text::jinja::budget::{Budget, ITEM};
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::syntax::tree::Comparison;
use crate::preprocess::text::jinja::value::number::{Number, index, order, same_number};
use crate::preprocess::text::jinja::value::object::View;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};

/// `left == right`
pub(crate) fn equal(budget: &Budget, left: &Value, right: &Value) -> Result<bool> {
    budget.work(ITEM)?;
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        if left.len() != right.len() {
            return Ok(false);
        }
        budget.work(left.len())?;
        return Ok(left == right);
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return Ok(same_number(&left, &right));
    }
    match (left, right) {
        (Value::List(left), Value::List(right)) => equal_items(budget, &left.items, &right.items),
        (Value::Tuple(left), Value::Tuple(right)) => equal_items(budget, &left.items, &right.items),
        (Value::Dict(left), Value::Dict(right)) => equal_dicts(budget, left, right),
        (Value::Undefined(_), Value::Undefined(_)) => Ok(true),
        (Value::Object(first), Value::Object(second)) => match (&first.thing, &second.thing) {
            (Thing::Range(left), Thing::Range(right)) => {
                let (length, other) = (left.len(), right.len());
                let same_step = length < 2 || left.step == right.step;
                Ok(length == other && (length == 0 || (left.start == right.start && same_step)))
            }
            (Thing::Bytes(left), Thing::Bytes(right)) => {
                budget.work(left.len())?;
                Ok(left == right)
            }
            (Thing::View(View::Keys, left) | Thing::Set(left), Thing::View(View::Keys, right) | Thing::Set(right)) => {
                budget.items(left.len())?;
                Ok(left.len() == right.len() && all_keys(budget, left, right)?)
            }
            (Thing::View(View::Items, left), Thing::View(View::Items, right)) => equal_dicts(budget, left, right),
            _ => Ok(left.is(right)),
        },
        _ => Ok(left.is(right)),
    }
}

fn all_keys(budget: &Budget, left: &Dict, right: &Dict) -> Result<bool> {
    for (key, _) in left.iter() {
        if right.get(budget, key)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two values count as the same inside others.
fn same(budget: &Budget, left: &Value, right: &Value) -> Result<bool> {
    if left.is(right) {
        return budget.work(ITEM).map(|()| true);
    }
    equal(budget, left, right)
}

fn equal_items(budget: &Budget, left: &[Value], right: &[Value]) -> Result<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !same(budget, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_dicts(budget: &Budget, left: &Dict, right: &Dict) -> Result<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (key, value) in left.iter() {
        let Some(other) = right.get(budget, key)? else { return Ok(false) };
        if !same(budget, value, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values; `None` where one is no number. `symbol` is for the message.
fn compare(budget: &Budget, left: &Value, right: &Value, symbol: &str) -> Result<Option<Ordering>> {
    budget.work(ITEM)?;
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        budget.work(left.len().min(right.len()))?;
        return Ok(Some(left.cmp(right)));
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return Ok(order(&left, &right));
    }
    left.defined()?;
    right.defined()?;
    let items = match (left, right) {
        (Value::List(left), Value::List(right)) => Some((&left.items, &right.items)),
        (Value::Tuple(left), Value::Tuple(right)) => Some((&left.items, &right.items)),
        _ => None,
    };
    let Some((first, second)) = items else {
        let (left, right) = (left.type_name(), right.type_name());
        return Err(Error::type_error(format!("'{symbol}' not supported between instances of '{left}' and '{right}'")));
    };
    for (left, right) in first.iter().zip(second) {
        if !same(budget, left, right)? {
            return compare(budget, left, right, symbol);
        }
    }
    Ok(Some(first.len().cmp(&second.len())))
}

/// `left < right`
pub(crate) fn less(budget: &Budget, left: &Value, right: &Value) -> Result<bool> {
    Ok(compare(budget, left, right, "<")? == Some(Ordering::Less))
}

/// `left > right`
pub(crate) fn greater(budget: &Budget, left: &Value, right: &Value) -> Result<bool> {
    Ok(compare(budget, left, right, ">")? == Some(Ordering::Greater))
}

/// A comparison of two values.
pub(crate) fn holds(machine: &Machine<'_>, comparison: Comparison, left: &Value, right: &Value) -> Result<bool> {
    let budget = &machine.budget;
    Ok(match comparison {
        Comparison::Equal => equal(budget, left, right)?,
        Comparison::NotEqual => !equal(budget, left, right)?,
        Comparison::Less => less(budget, left, right)?,
        Comparison::Greater => greater(budget, left, right)?,
        Comparison::LessOrEqual => compare(budget, left, right, "<=")?.is_some_and(Ordering::is_le),
        Comparison::GreaterOrEqual => compare(budget, left, right, ">=")?.is_some_and(Ordering::is_ge),
        Comparison::In => contains(machine, right, left)?,
        Comparison::NotIn => !contains(machine, right, left)?,
    })
}

/// `item in container`
pub(crate) fn contains(machine: &Machine<'_>, container: &Value, item: &Value) -> Result<bool> {
    let budget = &machine.budget;
    if let Some(text) = container.as_str() {
        let Some(part) = item.as_str() else {
            return Err(Error::type_error(format!("'in <string>' requires string as left operand, not {}", item.type_name())));
        };
        budget.work(text.len() + part.len())?;
        return Ok(text.contains(part));
    }
    if let Some(items) = container.as_items() {
        for other in items {
            if same(budget, other, item)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    match container {
        Value::Dict(dict) => return Ok(dict.get(budget, item)?.is_some()),
        Value::Object(object) => match &object.thing {
            Thing::Bytes(_) if index(item).is_some_and(|byte| !(0..256).contains(&byte)) => {
                return Err(Error::value_error("byte must be in range(0, 256)"));
            }
            Thing::Bytes(bytes) if index(item).is_none() => {
                let Some(Thing::Bytes(part)) = item.thing() else {
                    return Err(Error::type_error(format!("a bytes-like object is required, not '{}'", item.type_name())));
                };
                budget.work(bytes.len().saturating_mul(part.len().max(1)))?;
                return Ok(part.is_empty() || bytes.windows(part.len()).any(|window| window == &**part));
            }
            Thing::View(View::Keys, dict) | Thing::Set(dict) => return Ok(dict.get(budget, item)?.is_some()),
            Thing::View(View::Items, dict) => {
                let Value::Tuple(pair) = item else { return Ok(false) };
                let [key, value] = pair.items.as_slice() else { return Ok(false) };
                Key::new(budget, key.clone())?;
                return dict.get(budget, key)?.map_or(Ok(false), |found| same(budget, found, value));
            }
            Thing::Range(range) if index(item).is_some() => return Ok(index(item).is_some_and(|item| range.contains(item))),
            _ => {}
        },
        _ => {}
    }
    let Ok(mut source) = Source::of(container) else {
        return Err(Error::type_error(format!("argument of type '{}' is not iterable", container.type_name())));
    };
    while let Some(other) = source.next(machine)? {
        if same(budget, &other, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sorts by keys as Python does: equal ones keep their order, also in `reverse`. Values that have no order are in any order.
pub(crate) fn sort(budget: &Budget, mut entries: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<Value>> {
    let count = entries.len();
    budget.make_items(2 * count)?;
    if reverse {
        entries.reverse();
    }
    let mut order: Vec<usize> = (0..count).collect();
    let mut merged = vec![0; count];
    let mut width = 1;
    while width < count {
        for start in (0..count).step_by(2 * width) {
            let (middle, end) = ((start + width).min(count), (start + 2 * width).min(count));
            let (mut left, mut right) = (start, middle);
            for slot in &mut merged[start..end] {
                let takes_right = left >= middle || (right < end && less(budget, &entries[order[right]].0, &entries[order[left]].0)?);
                let from = if takes_right { &mut right } else { &mut left };
                *slot = order[*from];
                *from += 1;
            }
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    if reverse {
        order.reverse();
    }
    Ok(order.into_iter().map(|index| entries[index].1.clone()).collect())
}

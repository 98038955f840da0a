//! Filters that order and group.

use std::cell::RefCell;

use super::getter::{Getter, several};
use super::lazy::{Step, generator};
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::{Arguments, integer};
use crate::preprocess::text::jinja::run::iterate::{Source, collect};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::order;
use crate::preprocess::text::jinja::value::Value;

/// `sort(value, reverse=False, case_sensitive=False, attribute=None)`
pub(super) fn sort(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_sort", ["value", "reverse", "case_sensitive", "attribute"], 1)?;
    let reverse = reverse_of(bound.given(1))?;
    let getters = several(machine, bound.some(3), !bound.truth(2, false)?)?;
    let mut entries = Vec::new();
    for item in collect(machine, bound.value(0))? {
        let keys = getters.iter().map(|getter| getter.get(machine, &item)).collect::<Result<_>>()?;
        entries.push((Value::list(&machine.budget, keys)?, item));
    }
    Value::list(&machine.budget, order::sort(&machine.budget, entries, reverse)?)
}

/// Python takes an integer here.
fn reverse_of(value: Option<&Value>) -> Result<bool> {
    value.map_or(Ok(false), |value| integer(value).map(|reverse| reverse != 0))
}

/// `dictsort(value, case_sensitive=False, by="key", reverse=False)`
pub(super) fn dictsort(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_dictsort", ["value", "case_sensitive", "by", "reverse"], 1)?;
    let getter = Getter::default().lowered(!bound.truth(1, false)?);
    let by_value = match bound.given(2).map(|by| by.as_str()) {
        None | Some(Some("key")) => false,
        Some(Some("value")) => true,
        _ => return Err(Error::new(Kind::Argument, "You can only sort by either \"key\" or \"value\"")),
    };
    let reverse = reverse_of(bound.given(3))?;
    let Value::Dict(dict) = bound.value(0).defined()? else {
        return Err(Error::no_method(bound.value(0).type_name(), "items"));
    };
    let mut entries = Vec::new();
    for (key, value) in dict.iter() {
        let pair = Value::tuple(&machine.budget, vec![key.clone(), value.clone()])?;
        entries.push((getter.get(machine, if by_value { value } else { key })?, pair));
    }
    Value::list(&machine.budget, order::sort(&machine.budget, entries, reverse)?)
}

/// `groupby(value, attribute, default=None, case_sensitive=False)`
pub(super) fn groupby(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let bound = arguments.bind("do_groupby", ["value", "attribute", "default", "case_sensitive"], 2)?;
    let exact = bound.truth(3, false)?;
    let plain = Getter::new(machine, bound.some(1))?.with_default(bound.some(2).cloned());
    let getter = plain.clone().lowered(!exact);
    let mut entries = Vec::new();
    for item in collect(machine, bound.value(0))? {
        entries.push((getter.get(machine, &item)?, item));
    }
    let items = order::sort(budget, entries, false)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for item in items {
        let key = getter.get(machine, &item)?;
        budget.make_items(2)?;
        match groups.last_mut() {
            Some((last, group)) if order::equal(budget, last, &key)? => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut out = Vec::with_capacity(groups.len());
    for (key, group) in groups {
        let key = match group.first() {
            Some(first) if !exact => plain.get(machine, first)?,
            _ => key,
        };
        out.push(Value::tuple_of(budget, vec![key, Value::list(budget, group)?], true)?);
    }
    Value::list(budget, out)
}

/// `unique(value, case_sensitive=False, attribute=None)`
pub(super) fn unique(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_unique", ["value", "case_sensitive", "attribute"], 1)?;
    let getter = Getter::new(machine, bound.some(2))?.lowered(!bound.truth(1, false)?);
    generator(bound.value(0).clone(), Step::Unique { getter, seen: RefCell::default() })
}

pub(super) fn min(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    extreme(machine, arguments, "do_min", order::less)
}

pub(super) fn max(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    extreme(machine, arguments, "do_max", order::greater)
}

type Better = fn(&crate::preprocess::text::jinja::budget::Budget, &Value, &Value) -> Result<bool>;

fn extreme(machine: &Machine<'_>, arguments: Arguments, name: &str, better: Better) -> Result<Value> {
    let bound = arguments.bind(name, ["value", "case_sensitive", "attribute"], 1)?;
    let getter = Getter::new(machine, bound.some(2))?.lowered(!bound.truth(1, false)?);
    let mut source = Source::of(bound.value(0))?;
    let mut best: Option<(Value, Value)> = None;
    while let Some(item) = source.next(machine)? {
        let key = getter.get(machine, &item)?;
        let wins = match &best {
            Some((known, _)) => better(&machine.budget, &key, known)?,
            None => true,
        };
        if wins {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Value::undefined("No aggregated item, sequence was empty."), |(_, item)| item))
}

/// `batch(value, linecount, fill_with=None)`
pub(super) fn batch(_: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_batch", ["value", "linecount", "fill_with"], 2)?;
    let count = match bound.value(1) {
        Value::Float(count) if count.fract() == 0.0 => *count as i64,
        Value::Undefined(_) | Value::None | Value::Str(_) | Value::Float(_) => -1,
        other => integer(other).unwrap_or(-1),
    };
    generator(bound.value(0).clone(), Step::Batch { count, fill: bound.some(2).cloned(), ended: false })
}

/// `slice(value, slices, fill_with=None)`
pub(super) fn slice(_: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_slice", ["value", "slices", "fill_with"], 2)?;
    let step = match integer(bound.value(1)) {
        Ok(count) => Step::Slice { count, fill: bound.some(2).cloned(), all: Vec::new(), place: 0, offset: 0 },
        Err(error) => Step::Wrong(error),
    };
    generator(bound.value(0).clone(), step)
}

//! `value[start:stop:step]`

use super::machine::Machine;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::value::number::index;
use crate::preprocess::text::jinja::value::object::Range;
use crate::preprocess::text::jinja::value::{Thing, Value};

/// The places that a slice picks, as `slice.indices` counts them.
#[derive(Debug, Clone, Copy)]
struct Picks {
    start: i64,
    stop: i64,
    step: i64,
}

/// A part of a value.
pub(super) fn slice(machine: &Machine<'_>, value: &Value, bounds: [Value; 3]) -> Result<Value> {
    let budget = &machine.budget;
    value.defined()?;
    if let Some(text) = value.as_str() {
        if text.is_ascii() {
            let picks = picks(text.len(), &bounds)?;
            return ascii(machine, value, text, picks);
        }
        budget.make(4 * text.len())?;
        let chars: Vec<char> = text.chars().collect();
        let picked: String = picks(chars.len(), &bounds)?.places().filter_map(|place| chars.get(place)).collect();
        return Ok(Value::text(picked, value.is_markup()));
    }
    if let Some(items) = value.as_items() {
        let picks = picks(items.len(), &bounds)?;
        budget.make_items(picks.count())?;
        let picked = picks.places().filter_map(|place| items.get(place)).cloned().collect();
        return if matches!(value, Value::List(_)) { Value::list(budget, picked) } else { Value::tuple(budget, picked) };
    }
    if let Some(Thing::Bytes(bytes)) = value.thing() {
        let picked = picks(bytes.len(), &bounds)?.places().filter_map(|place| bytes.get(place)).copied();
        return methods::bytes::value(machine, picked.collect());
    }
    if let Some(Thing::Range(range)) = value.thing() {
        let Picks { start, stop, step } = picks(range.len(), &bounds)?;
        let at = |place: i64| range.start.saturating_add(place.saturating_mul(range.step));
        let part = Range { start: at(start), stop: at(stop), step: range.step.saturating_mul(step) };
        return Value::object(Thing::Range(part));
    }
    if let Value::Dict(_) = value {
        return Err(Error::type_error("unhashable type: 'slice'"));
    }
    Err(Error::type_error(format!("'{}' object is not subscriptable", value.type_name())))
}

fn ascii(machine: &Machine<'_>, value: &Value, text: &str, picks: Picks) -> Result<Value> {
    machine.budget.make(picks.count())?;
    if picks.step == 1 {
        let (start, stop) = (picks.start as usize, picks.stop.max(picks.start) as usize);
        if let (0, true, Some(text)) = (start, stop == text.len(), value.as_arc()) {
            return Ok(Value::text(text.clone(), value.is_markup()));
        }
        return Ok(Value::text(text.get(start..stop).unwrap_or_default(), value.is_markup()));
    }
    machine.budget.work(4 * picks.count())?;
    let picked: String = picks.places().filter_map(|place| text.as_bytes().get(place)).map(|byte| char::from(*byte)).collect();
    Ok(Value::text(picked, value.is_markup()))
}

fn picks(length: usize, bounds: &[Value; 3]) -> Result<Picks> {
    let bound = |value: &Value| match index(value) {
        None if value.is_none() => Ok(None),
        None => Err(Error::type_error("slice indices must be integers or None or have an __index__ method")),
        Some(bound) => Ok(Some(bound)),
    };
    let [start, stop, step] = bounds;
    let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(Error::value_error("slice step cannot be zero"));
    }
    let length = length as i64;
    let (first, last) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |bound: Option<i64>, default: i64| {
        bound.map_or(default, |bound| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(first, last))
    };
    let (start, stop) = if step > 0 { (clamp(start, first), clamp(stop, last)) } else { (clamp(start, last), clamp(stop, first)) };
    Ok(Picks { start, stop, step })
}

impl Picks {
    fn count(self) -> usize {
        Range { start: self.start, stop: self.stop, step: self.step }.len()
    }

    fn places(self) -> impl Iterator<Item = usize> {
        let Self { start, stop, step } = self;
        let inside = move |place: &i64| if step > 0 { *place < stop } else { *place > stop };
        std::iter::successors(Some(start), move |place| place.checked_add(step)).take_while(inside).map(|place| place as usize)
    }
}

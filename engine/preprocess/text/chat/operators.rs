//! Operators as Python's: `True + 1` is 2, `//` and `%` round down, `~` joins what `str` gives, and each result is paid for.

use std::sync::Arc;

use minijinja::formatting::{FormatStyle, format};
use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::budget::Budget;
use super::python::str_of;

type Operator = fn(&Budget, &Value, &Value) -> Result<Value, Error>;

const OPERATORS: &[(&str, Operator)] = &[("+", add), ("*", multiply), ("%", modulo), ("//", divide), ("~", concatenate)];
const SLICE: &str = "[:]";
const LIST: &str = "[]";
const TUPLE: &str = "()";
const DICT: &str = "{}";
/// Filters with this number are looked up by name each time.
const UNCACHED: u8 = u8::MAX;

/// Registers the operators as filters, under names that no template can write.
pub(super) fn register(environment: &mut Environment<'_>, budget: &Budget) {
    for (name, operator) in OPERATORS {
        let budget = budget.clone();
        environment.add_filter(*name, move |left: &Value, right: &Value| operator(&budget, left, right));
    }
    register_containers(environment, budget);
    let budget = budget.clone();
    environment.add_filter(SLICE, move |value: &Value, start: &Value, stop: &Value, step: &Value| slice(&budget, value, start, stop, step));
}

fn register_containers(environment: &mut Environment<'_>, budget: &Budget) {
    for (name, tuple) in [(LIST, false), (TUPLE, true)] {
        let budget = budget.clone();
        environment.add_filter(name, move |items: Rest<Value>| {
            budget.wrap()?;
            sequence(&budget, items.0, tuple)
        });
    }
    let budget = budget.clone();
    environment.add_filter(DICT, move |items: Rest<Value>| {
        budget.wrap()?;
        budget.spend(items.len() * size_of::<Value>())?;
        Ok::<_, Error>(Value::from_pairs(items.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()))))
    });
}

/// Lets instructions call the registered operators. Returns the length of the longest piece of plain text.
pub(super) fn rewrite(instructions: &mut Instructions<'_>) -> usize {
    let mut longest = 0;
    for index in 0.. {
        let Some(instruction) = instructions.get_mut(index) else { break };
        let (name, count) = match instruction {
            Instruction::Add => ("+", 2),
            Instruction::Mul => ("*", 2),
            Instruction::Rem => ("%", 2),
            Instruction::IntDiv => ("//", 2),
            Instruction::StringConcat => ("~", 2),
            Instruction::Slice => (SLICE, 4),
            Instruction::BuildList(Some(count)) if *count > 0 => (LIST, *count),
            Instruction::BuildTuple(Some(count)) if *count > 0 => (TUPLE, *count),
            Instruction::BuildMap(count) if *count > 0 => (DICT, 2 * *count),
            Instruction::EmitRaw(text) => {
                longest = longest.max(text.len());
                continue;
            }
            _ => continue,
        };
        if let Ok(count) = u16::try_from(count) {
            *instruction = Instruction::ApplyFilter(name, Some(count), UNCACHED);
        }
    }
    longest
}

fn concatenate(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    budget.text(str_of(left) + &str_of(right))
}

fn add(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return budget.text([left, right].concat());
    }
    if let (ValueKind::Seq, ValueKind::Seq) = (left.kind(), right.kind())
        && left.is_tuple() == right.is_tuple()
    {
        let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
        return sequence(budget, items, left.is_tuple());
    }
    arithmetic("+", left, right, i128::checked_add, |left, right| left + right)
}

fn multiply(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    let (repeated, times) = if integer(left).is_some() { (right, left) } else { (left, right) };
    let times = integer(times).map(|times| usize::try_from(times.max(0)).unwrap_or(usize::MAX));
    match (repeated.as_str(), times) {
        (Some(text), Some(times)) => {
            budget.spend(text.len().saturating_mul(times))?;
            Ok(Value::from(text.repeat(times)))
        }
        (None, Some(times)) if repeated.kind() == ValueKind::Seq => {
            let items: Vec<Value> = repeated.try_iter()?.collect();
            budget.spend(items.len().saturating_mul(times).saturating_mul(size_of::<Value>()))?;
            let copies = std::iter::repeat_n(items, times).flatten().collect();
            sequence(budget, copies, repeated.is_tuple())
        }
        _ => arithmetic("*", left, right, i128::checked_mul, |left, right| left * right),
    }
}

fn modulo(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(text) = left.as_str() {
        let arguments = if right.is_tuple() { right.try_iter()?.collect() } else { vec![right.clone()] };
        return format_with(budget, FormatStyle::Printf, text, &arguments);
    }
    nonzero("%", right)?;
    arithmetic(
        "%",
        left,
        right,
        |left, right| left.checked_sub(floor_divide(left, right)?.checked_mul(right)?),
        |left, right| left - right * (left / right).floor(),
    )
}

fn divide(_: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    nonzero("//", right)?;
    arithmetic("//", left, right, floor_divide, |left, right| (left / right).floor())
}

fn floor_divide(left: i128, right: i128) -> Option<i128> {
    let quotient = left.checked_div(right)?;
    if left % right != 0 && (left < 0) != (right < 0) { quotient.checked_sub(1) } else { Some(quotient) }
}

/// `value[start:stop:step]`
fn slice(budget: &Budget, value: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    let wrong = |what: String| Error::new(ErrorKind::InvalidOperation, what);
    let bound = |value: &Value| match integer(value) {
        None if value.is_none() => Ok(None),
        None => Err(wrong("slice indices must be integers".to_owned())),
        Some(bound) => Ok(Some(bound)),
    };
    let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(wrong("slice step cannot be zero".to_owned()));
    }
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        return budget.text(picks(chars.len(), start, stop, step).map(|index| chars[index]).collect());
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(wrong(format!("a value of type {} cannot be sliced", value.kind())));
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    sequence(budget, picks(items.len(), start, stop, step).map(|index| items[index].clone()).collect(), value.is_tuple())
}

/// The places that a slice picks, as `slice.indices` counts them.
fn picks(length: usize, start: Option<i128>, stop: Option<i128>, step: i128) -> impl Iterator<Item = usize> {
    let length = length as i128;
    let (first, last) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |bound: Option<i128>, default: i128| {
        bound.map_or(default, |bound| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(first, last))
    };
    let (start, stop) = if step > 0 { (clamp(start, first), clamp(stop, last)) } else { (clamp(start, last), clamp(stop, first)) };
    let inside = move |place: &i128| if step > 0 { *place < stop } else { *place > stop };
    std::iter::successors(Some(start), move |place| place.checked_add(step)).take_while(inside).map(|place| place as usize)
}

/// A format string with its arguments; widths that only fill memory are refused.
pub(super) fn format_with(budget: &Budget, style: FormatStyle, text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if digits > 4 && text.contains(['%', '{']) {
        return Err(Error::new(ErrorKind::InvalidOperation, "the format string asks for too wide a field"));
    }
    // Numbers and strings are formatted by their types, the rest as `str` gives it.
    let plain = |value: &Value| match value.kind() {
        ValueKind::Number | ValueKind::String => value.clone(),
        ValueKind::Map if style == FormatStyle::StrFormat => value.clone(),
        _ => Value::from(str_of(value)),
    };
    budget.text(format(style, text, &arguments.iter().map(plain).collect::<Vec<_>>())?)
}

fn sequence(budget: &Budget, items: Vec<Value>, tuple: bool) -> Result<Value, Error> {
    budget.spend(items.len() * size_of::<Value>())?;
    Ok(if tuple { Value::from(minijinja::value::Tuple::new(items)) } else { Value::from_object(List(items)) })
}

/// A list made by an operator.
#[derive(Debug)]
struct List(Vec<Value>);

impl minijinja::value::Object for List {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Seq(self.0.len())
    }
}

fn nonzero(operator: &str, value: &Value) -> Result<(), Error> {
    if number(value) == Some(0.0) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("{operator}: division by zero")));
    }
    Ok(())
}

fn arithmetic(
    operator: &str,
    left: &Value,
    right: &Value,
    integers: impl Fn(i128, i128) -> Option<i128>,
    floats: impl Fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("{operator}: {what}"));
    if let (Some(left), Some(right)) = (integer(left), integer(right)) {
        let result = integers(left, right).ok_or_else(|| wrong("the number is too large"))?;
        return Ok(i64::try_from(result).map_or_else(|_| Value::from(result), Value::from));
    }
    match (number(left), number(right)) {
        (Some(left), Some(right)) => Ok(Value::from(floats(left, right))),
        _ => Err(wrong(&format!("not for {} and {}", left.kind(), right.kind()))),
    }
}

/// Integers, and booleans, which are integers in Python.
fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(value.is_true().into()),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

//! The tests of Jinja, behind `is`.

use super::error::{Error, Result};
use super::filters;
use super::run::arguments::Arguments;
use super::run::iterate::{Source, length};
use super::run::machine::Machine;
use super::run::operators::binary;
use super::run::order::{contains, equal, holds};
use super::syntax::tree::{Binary, Comparison};
use super::value::repr::str_of;
use super::value::{Thing, Value};

/// How many arguments a test takes, and what it tests; the value is the first.
type Test = (usize, fn(&Machine<'_>, &[Value]) -> Result<bool>);

/// By their names, sorted.
const TESTS: &[(&str, Test)] = &[
    ("!=", (2, |machine, values| Ok(!equal(&machine.budget, &values[0], &values[1])?))),
    ("<", (2, |machine, values| compared(machine, Comparison::Less, values))),
    ("<=", (2, |machine, values| compared(machine, Comparison::LessOrEqual, values))),
    ("==", (2, |machine, values| equal(&machine.budget, &values[0], &values[1]))),
    (">", (2, |machine, values| compared(machine, Comparison::Greater, values))),
    (">=", (2, |machine, values| compared(machine, Comparison::GreaterOrEqual, values))),
    ("boolean", (1, |_, values| Ok(matches!(values[0], Value::Bool(_))))),
    ("callable", (1, |_, values| Ok(is_callable(&values[0])))),
    ("defined", (1, |_, values| Ok(!values[0].is_undefined()))),
    ("divisibleby", (2, |machine, values| remainder_is(machine, &values[0], &values[1], 0))),
    ("eq", (2, |machine, values| equal(&machine.budget, &values[0], &values[1]))),
    ("equalto", (2, |machine, values| equal(&machine.budget, &values[0], &values[1]))),
    ("escaped", (1, |_, values| Ok(values[0].is_markup()))),
    ("even", (1, |machine, values| remainder_is(machine, &values[0], &Value::Int(2), 0))),
    ("false", (1, |_, values| Ok(matches!(values[0], Value::Bool(false))))),
    ("filter", (1, |_, values| known(&values[0], |name| filters::find(name).is_some()))),
    ("float", (1, |_, values| Ok(matches!(values[0], Value::Float(_))))),
    ("ge", (2, |machine, values| compared(machine, Comparison::GreaterOrEqual, values))),
    ("greaterthan", (2, |machine, values| compared(machine, Comparison::Greater, values))),
    ("gt", (2, |machine, values| compared(machine, Comparison::Greater, values))),
    ("in", (2, |machine, values| contains(machine, &values[1], &values[0]))),
    ("integer", (1, |_, values| Ok(matches!(values[0], Value::Int(_) | Value::Big(_))))),
    ("iterable", (1, |_, values| Ok(Source::can(&values[0])))),
    ("le", (2, |machine, values| compared(machine, Comparison::LessOrEqual, values))),
    ("lessthan", (2, |machine, values| compared(machine, Comparison::Less, values))),
    ("lower", (1, |machine, values| is_cased(machine, &values[0], "islower"))),
    ("lt", (2, |machine, values| compared(machine, Comparison::Less, values))),
    ("mapping", (1, |_, values| Ok(matches!(values[0], Value::Dict(_))))),
    ("ne", (2, |machine, values| Ok(!equal(&machine.budget, &values[0], &values[1])?))),
    ("none", (1, |_, values| Ok(values[0].is_none()))),
    ("number", (1, |_, values| Ok(matches!(values[0], Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_))))),
    ("odd", (1, |machine, values| remainder_is(machine, &values[0], &Value::Int(2), 1))),
    ("sameas", (2, |_, values| Ok(values[0].is(&values[1])))),
    ("sequence", (1, |machine, values| is_sequence(machine, &values[0]))),
    ("string", (1, |_, values| Ok(values[0].as_str().is_some()))),
    ("test", (1, |_, values| known(&values[0], |name| find(name).is_some()))),
    ("true", (1, |_, values| Ok(matches!(values[0], Value::Bool(true))))),
    ("undefined", (1, |_, values| Ok(values[0].is_undefined()))),
    ("upper", (1, |machine, values| is_cased(machine, &values[0], "isupper"))),
];

/// The names that tests give their arguments.
const NAMES: &[(&str, [&str; 2])] = &[("divisibleby", ["value", "num"]), ("sameas", ["value", "other"]), ("in", ["value", "seq"])];

/// The place of a test.
pub(crate) fn find(name: &str) -> Option<usize> {
    TESTS.binary_search_by_key(&name, |(name, _)| name).ok()
}

/// Calls the test at a place.
pub(crate) fn call(machine: &Machine<'_>, index: usize, arguments: Arguments) -> Result<bool> {
    let (name, (count, test)) = &TESTS[index];
    let Arguments { mut positional, keywords } = arguments;
    let names = NAMES.iter().find(|(test, _)| test == name).map_or(["", ""], |(_, names)| *names);
    for (keyword, value) in keywords {
        if names.get(positional.len()).is_none_or(|known| *known != &*keyword) {
            return Err(Error::type_error(format!("test '{name}' got an unexpected keyword argument '{keyword}'")));
        }
        positional.push(value);
    }
    if positional.len() != *count {
        return Err(Error::type_error(format!("test '{name}' takes {count} arguments but {} were given", positional.len())));
    }
    test(machine, &positional)
}

fn compared(machine: &Machine<'_>, comparison: Comparison, values: &[Value]) -> Result<bool> {
    holds(machine, comparison, &values[0], &values[1])
}

fn remainder_is(machine: &Machine<'_>, value: &Value, divisor: &Value, wanted: i64) -> Result<bool> {
    let rest = binary(machine, Binary::Modulo, value, divisor)?;
    equal(&machine.budget, &rest, &Value::Int(wanted))
}

fn known(name: &Value, is_known: impl Fn(&str) -> bool) -> Result<bool> {
    match name {
        Value::List(_) | Value::Dict(_) => Err(Error::type_error(format!("unhashable type: '{}'", name.type_name()))),
        _ => Ok(name.as_str().is_some_and(is_known)),
    }
}

fn is_callable(value: &Value) -> bool {
    match value {
        Value::Undefined(_) => true,
        Value::Object(object) => !matches!(
            object.thing,
            Thing::Range(_)
                | Thing::Bytes(_)
                | Thing::Set(_)
                | Thing::View(..)
                | Thing::Iterator(..)
                | Thing::Namespace(_)
                | Thing::Cycler { .. }
                | Thing::Template
        ),
        _ => false,
    }
}

fn is_cased(machine: &Machine<'_>, value: &Value, method: &'static str) -> Result<bool> {
    let text = Value::Str(str_of(&machine.budget, value)?);
    Ok(matches!(super::methods::call(machine, &text, method, Arguments::default())?, Value::Bool(true)))
}

fn is_sequence(machine: &Machine<'_>, value: &Value) -> Result<bool> {
    match value {
        Value::Str(_) | Value::Markup(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Undefined(_) => Ok(true),
        Value::Object(object) => Ok(matches!(object.thing, Thing::Range(_) | Thing::Bytes(_)) && length(machine, value)?.is_some()),
        _ => Ok(false),
    }
}

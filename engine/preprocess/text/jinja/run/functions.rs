//! The functions of Jinja's environment.

use std::cell::{Cell, RefCell};

use super::arguments::{Arguments, integer};
use super::attributes::check_name;
use super::iterate::{Source, collect};
use super::machine::Machine;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::format::lorem;
use crate::preprocess::text::jinja::value::object::Range;
use crate::preprocess::text::jinja::value::{Dict, Key, Thing, Value};

/// What a template can call without being given it.
pub(crate) const NAMES: &[&str] = &["range", "dict", "lipsum", "cycler", "joiner", "namespace"];

/// The sandbox allows no longer ranges.
const LONGEST_RANGE: usize = 100_000;

/// Calls a function of the environment.
pub(super) fn call(machine: &Machine<'_>, name: &str, arguments: Arguments) -> Result<Value> {
    if let Some((_, given)) = machine.functions.iter().find(|(given, _)| *given == name) {
        return given(&machine.budget, arguments);
    }
    match name {
        "range" => range(arguments),
        "dict" => Value::dict(dict(machine, "dict", arguments)?),
        "namespace" => namespace(machine, arguments),
        "cycler" => {
            if !arguments.keywords.is_empty() {
                return Err(Error::type_error("Cycler.__init__() got an unexpected keyword argument"));
            }
            if arguments.positional.is_empty() {
                return Err(Error::new(Kind::Runtime, "at least one item has to be provided"));
            }
            machine.budget.make_items(arguments.positional.len())?;
            Value::object(Thing::Cycler { items: arguments.positional, place: Cell::new(0) })
        }
        "joiner" => {
            let bound = arguments.bind::<1>("Joiner.__init__", ["sep"], 0)?;
            let separator = bound.given(0).cloned().unwrap_or_else(|| Value::from(", "));
            Value::object(Thing::Joiner { separator, used: Cell::new(false) })
        }
        "lipsum" => lorem::lipsum(machine, arguments),
        "generation" => machine.generation(arguments),
        _ => Err(Error::type_error(format!("'{name}' is not callable"))),
    }
}

fn range(arguments: Arguments) -> Result<Value> {
    let bound = arguments.unnamed::<3>("range", 1)?;
    let (first, second) = (integer(bound.value(0))?, bound.given(1));
    let (start, stop) = match second {
        None => (0, first),
        Some(second) => (first, integer(second)?),
    };
    let step = bound.integer(2, 1)?;
    if step == 0 {
        return Err(Error::value_error("range() arg 3 must not be zero"));
    }
    let range = Range { start, stop, step };
    if range.len() > LONGEST_RANGE {
        let message = "Range too big. The sandbox blocks ranges larger than MAX_RANGE";
        return Err(Error::new(Kind::Overflow, format!("{message} ({LONGEST_RANGE}).")));
    }
    Value::object(Thing::Range(range))
}

/// `dict(mapping or pairs, key=value)`
fn dict(machine: &Machine<'_>, name: &str, arguments: Arguments) -> Result<Dict> {
    let Arguments { positional, keywords } = arguments;
    if positional.len() > 1 {
        return Err(Error::type_error(format!("{name} expected at most 1 argument, got {}", positional.len())));
    }
    let mut dict = match positional.first() {
        Some(Value::Dict(given)) => {
            machine.budget.make_items(2 * given.len())?;
            Dict::clone(given)
        }
        Some(given) => {
            given.defined()?;
            pairs(machine, given)?
        }
        None => Dict::default(),
    };
    machine.budget.make_items(2 * keywords.len())?;
    for (name, value) in keywords {
        dict.insert_str(name, value);
    }
    Ok(dict)
}

fn pairs(machine: &Machine<'_>, given: &Value) -> Result<Dict> {
    let mut dict = Dict::default();
    let mut source = Source::of(given)?;
    let mut index = 0;
    while let Some(pair) = source.next(machine)? {
        let Ok(pair) = collect(machine, &pair) else {
            return Err(Error::type_error(format!("cannot convert dictionary update sequence element #{index} to a sequence")));
        };
        let [key, value] = pair.as_slice() else {
            let message = format!("dictionary update sequence element #{index} has length {}; 2 is required", pair.len());
            return Err(Error::value_error(message));
        };
        machine.budget.make_items(2)?;
        dict.insert(Key::new(&machine.budget, key.clone())?, value.clone());
        index += 1;
    }
    Ok(dict)
}

fn namespace(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let attributes = dict(machine, "dict", arguments)?;
    attributes.iter().filter_map(|(name, _)| name.as_str()).try_for_each(check_name)?;
    let namespace = Value::object(Thing::Namespace(RefCell::new(attributes)))?;
    machine.namespace(&namespace);
    Ok(namespace)
}

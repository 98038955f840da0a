//! Generators: what they give is made when it is asked for, once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::getter::Getter;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::activation::Activation;
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::iterate::{Source, collect};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::operators::truth;
use crate::preprocess::text::jinja::value::{Key, Thing, Value, deepest};
use crate::preprocess::text::jinja::{filters, predicates};

/// A generator.
#[derive(Debug)]
pub(crate) struct Lazy {
    /// What is gone through, before it has begun and after.
    value: Value,
    source: Option<Source>,
    step: Step,
    /// Where a loop's test has its variables.
    activation: Option<Rc<Activation>>,
}

/// What a generator does with each item.
#[derive(Debug)]
pub(crate) enum Step {
    /// The pairs of a dictionary.
    Items,
    Attribute(Getter),
    Filter {
        name: String,
        arguments: Arguments,
    },
    /// The items that pass a test, or do not; without a test, those that are true.
    Select {
        getter: Option<Getter>,
        test: Option<String>,
        arguments: Arguments,
        wanted: bool,
    },
    Unique {
        getter: Getter,
        seen: RefCell<HashSet<Key>>,
    },
    Batch {
        count: i64,
        fill: Option<Value>,
        ended: bool,
    },
    Slice {
        count: i64,
        fill: Option<Value>,
        all: Vec<Value>,
        place: i64,
        offset: usize,
    },
    /// A loop's test.
    Loop {
        index: usize,
        outside: Rc<Activation>,
    },
    /// What is wrong with the arguments shows when the first item is asked for.
    Wrong(Error),
}

/// A generator over a value.
pub(super) fn generator(value: Value, step: Step) -> Result<Value> {
    let lazy = Lazy { value, source: None, step, activation: None };
    Value::object(Thing::Iterator(RefCell::new(Source::Lazy(Box::new(lazy))), "generator"))
}

impl Lazy {
    /// One whose source is known to be good.
    pub(crate) fn started(source: Source, step: Step) -> Self {
        Self { value: Value::None, source: Some(source), step, activation: None }
    }

    pub(crate) fn depth(&self) -> u32 {
        let held = match &self.step {
            Step::Attribute(getter) | Step::Unique { getter, .. } => getter.depth(),
            Step::Filter { arguments, .. } | Step::Select { arguments, .. } => {
                deepest(arguments.positional.iter().chain(arguments.keywords.iter().map(|(_, value)| value)))
            }
            Step::Batch { fill, .. } | Step::Slice { fill, .. } => deepest(fill),
            Step::Items | Step::Loop { .. } | Step::Wrong(_) => 0,
        };
        1 + held.max(self.value.depth()).max(self.source.as_ref().map_or(0, Source::depth))
    }

    fn start(&mut self, machine: &Machine<'_>) -> Result<()> {
        // As in Python, nothing is looked at where there is nothing to go through.
        let may_be_empty = matches!(self.step, Step::Attribute(_) | Step::Filter { .. } | Step::Select { .. } | Step::Wrong(_));
        if may_be_empty && !truth(&self.value)? {
            self.source = Some(Source::Nothing);
            return Ok(());
        }
        self.source = Some(match &mut self.step {
            Step::Items => match &self.value {
                Value::Undefined(_) => Source::Nothing,
                Value::Dict(dict) => Source::View(crate::preprocess::text::jinja::value::object::View::Items, dict.clone(), 0),
                _ => return Err(Error::type_error("Can only get item pairs from a mapping.")),
            },
            Step::Slice { all, count, .. } => {
                *all = collect(machine, &self.value)?;
                if *count == 0 {
                    return Err(Error::new(Kind::ZeroDivision, "integer division or modulo by zero"));
                }
                Source::Nothing
            }
            Step::Wrong(error) => return Err(error.clone()),
            _ => Source::of(&self.value)?,
        });
        Ok(())
    }

    /// The next item. After an error a generator is at its end.
    pub(crate) fn next(&mut self, machine: &Machine<'_>) -> Result<Option<Value>> {
        let next = self.step(machine);
        if next.is_err() {
            self.source = Some(Source::Nothing);
            self.step = Step::Items;
        }
        next
    }

    fn step(&mut self, machine: &Machine<'_>) -> Result<Option<Value>> {
        if self.source.is_none() {
            self.start(machine)?;
        }
        let Some(source) = &mut self.source else { return Ok(None) };
        match &mut self.step {
            Step::Items | Step::Wrong(_) => source.next(machine),
            Step::Attribute(getter) => source.next(machine)?.map(|item| getter.get(machine, &item)).transpose(),
            Step::Filter { name, arguments } => {
                let Some(item) = source.next(machine)? else { return Ok(None) };
                filter(machine, name, item, arguments).map(Some)
            }
            Step::Select { getter, test, arguments, wanted } => {
                while let Some(item) = source.next(machine)? {
                    let looked_at = match getter {
                        Some(getter) => getter.get(machine, &item)?,
                        None => item.clone(),
                    };
                    let passes = match test {
                        Some(name) => passes(machine, name, looked_at, arguments)?,
                        None => truth(&looked_at)?,
                    };
                    if passes == *wanted {
                        return Ok(Some(item));
                    }
                }
                Ok(None)
            }
            Step::Unique { getter, seen } => {
                while let Some(item) = source.next(machine)? {
                    let key = Key::new(&machine.budget, getter.get(machine, &item)?)?;
                    machine.budget.make_items(2)?;
                    if seen.borrow_mut().insert(key) {
                        return Ok(Some(item));
                    }
                }
                Ok(None)
            }
            Step::Batch { count, fill, ended } => batch(machine, source, *count, fill.as_ref(), ended),
            Step::Slice { count, fill, all, place, offset } => slice(machine, (*count, all, place, offset), fill.as_ref()),
            Step::Loop { index, outside } => {
                while let Some(item) = source.next(machine)? {
                    if let Some(item) = machine.loop_test(*index, outside, &mut self.activation, item)? {
                        return Ok(Some(item));
                    }
                }
                Ok(None)
            }
        }
    }
}

fn with_value(value: Value, arguments: &Arguments) -> Arguments {
    let mut positional = Vec::with_capacity(arguments.positional.len() + 1);
    positional.push(value);
    positional.extend_from_slice(&arguments.positional);
    Arguments { positional, keywords: arguments.keywords.clone() }
}

fn filter(machine: &Machine<'_>, name: &str, value: Value, arguments: &Arguments) -> Result<Value> {
    let Some(index) = filters::find(name) else {
        return Err(Error::new(Kind::Runtime, format!("No filter named '{name}'.")));
    };
    filters::call(machine, index, with_value(value, arguments))
}

fn passes(machine: &Machine<'_>, name: &str, value: Value, arguments: &Arguments) -> Result<bool> {
    let Some(index) = predicates::find(name) else {
        return Err(Error::new(Kind::Runtime, format!("No test named '{name}'.")));
    };
    predicates::call(machine, index, with_value(value, arguments))
}

fn batch(machine: &Machine<'_>, source: &mut Source, count: i64, fill: Option<&Value>, ended: &mut bool) -> Result<Option<Value>> {
    if *ended {
        return Ok(None);
    }
    let wanted = usize::try_from(count).ok();
    let mut items = Vec::new();
    // A count of none or less is never reached, but for the empty list of a count of 0.
    while wanted != Some(items.len()) || items.is_empty() {
        let Some(item) = source.next(machine)? else {
            *ended = true;
            break;
        };
        if wanted == Some(0) {
            return Err(Error::value_error("batch: the count must not be 0"));
        }
        machine.budget.make_items(1)?;
        items.push(item);
    }
    if items.is_empty() {
        return Ok(None);
    }
    if let (true, Some(fill), Some(wanted)) = (*ended, fill, wanted)
        && items.len() < wanted
    {
        machine.budget.make_items(wanted)?;
        items.resize(wanted, fill.clone());
    }
    Value::list(&machine.budget, items).map(Some)
}

type Slicing<'a> = (i64, &'a [Value], &'a mut i64, &'a mut usize);

fn slice(machine: &Machine<'_>, (count, all, place, offset): Slicing<'_>, fill: Option<&Value>) -> Result<Option<Value>> {
    if *place >= count {
        return Ok(None);
    }
    let (count, number) = (count.unsigned_abs() as usize, *place as usize);
    let (each, with_extra) = (all.len() / count, all.len() % count);
    let start = *offset + number * each;
    if number < with_extra {
        *offset += 1;
    }
    let end = *offset + (number + 1) * each;
    *place += 1;
    let mut part = all.get(start..end).unwrap_or_default().to_vec();
    if let (Some(fill), true) = (fill, number >= with_extra) {
        part.push(fill.clone());
    }
    Value::list(&machine.budget, part).map(Some)
}

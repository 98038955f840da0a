//! `loop`, as a loop's body sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::activation::Activation;
use super::arguments::Arguments;
use super::iterate::{Source, length};
use super::machine::Machine;
use super::order::equal;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::value::Value;

/// The state of a loop.
#[derive(Debug)]
pub(crate) struct LoopState {
    iterable: Option<Value>,
    source: RefCell<Source>,
    length: Cell<Option<usize>>,
    /// How many items were given.
    given: Cell<usize>,
    before: RefCell<Option<Value>>,
    current: RefCell<Option<Value>>,
    after: RefCell<Option<Value>>,
    changed: RefCell<Option<Vec<Value>>>,
    depth0: usize,
    /// The loop's place in the template and what is around it, if it is recursive.
    pub(super) recursive: Option<(usize, Rc<Activation>)>,
}

/// What `loop` has.
pub(crate) const METHODS: &[&str] = &["cycle", "changed"];

impl LoopState {
    /// `iterable` is known where its length may be asked of it.
    pub(super) fn new(iterable: Option<Value>, source: Source, depth0: usize, recursive: Option<(usize, Rc<Activation>)>) -> Self {
        let (before, current, after, changed) = Default::default();
        let (length, given) = (Cell::new(None), Cell::new(0));
        Self { iterable, source: RefCell::new(source), length, given, before, current, after, changed, depth0, recursive }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.source.borrow().depth()
    }

    pub(crate) fn printed(&self) -> String {
        format!("<LoopContext {}/{}>", self.given.get(), self.length.get().map_or("?".to_owned(), |length| length.to_string()))
    }

    /// Lets go of what `changed` was told, which may be the loop itself.
    pub(super) fn forget(&self) {
        let before = self.changed.take();
        drop(before);
    }

    pub(super) fn level(&self) -> usize {
        self.depth0 + 1
    }

    fn pull(&self, machine: &Machine<'_>) -> Result<Option<Value>> {
        match self.source.try_borrow_mut() {
            Ok(mut source) => source.next(machine),
            Err(_) => Err(Error::value_error("generator already executing")),
        }
    }

    pub(super) fn next(&self, machine: &Machine<'_>) -> Result<Option<Value>> {
        let peeked = self.after.take();
        let next = if peeked.is_some() { peeked } else { self.pull(machine)? };
        if let Some(item) = &next {
            self.given.set(self.given.get() + 1);
            *self.before.borrow_mut() = self.current.replace(Some(item.clone()));
        }
        Ok(next)
    }

    fn peek(&self, machine: &Machine<'_>) -> Result<Option<Value>> {
        if self.after.borrow().is_none() {
            let next = self.pull(machine)?;
            *self.after.borrow_mut() = next;
        }
        Ok(self.after.borrow().clone())
    }

    pub(super) fn length(&self, machine: &Machine<'_>) -> Result<usize> {
        if let Some(length) = self.length.get() {
            return Ok(length);
        }
        let known = self.iterable.as_ref().map_or(Ok(None), |iterable| length(machine, iterable))?;
        let found = match known {
            Some(length) => length,
            None => {
                let mut rest = Vec::new();
                while let Some(item) = self.pull(machine)? {
                    machine.budget.make_items(1)?;
                    rest.push(item);
                }
                let found = rest.len() + self.given.get() + usize::from(self.after.borrow().is_some());
                *self.source.borrow_mut() = Source::own(rest);
                found
            }
        };
        self.length.set(Some(found));
        Ok(found)
    }

    pub(super) fn attribute(&self, machine: &Machine<'_>, name: &str) -> Result<Option<Value>> {
        let index0 = || self.given.get() as i64 - 1;
        Ok(Some(match name {
            "length" => Value::from(self.length(machine)?),
            "depth" => Value::from(self.level()),
            "depth0" => Value::from(self.depth0),
            "index" => Value::from(index0() + 1),
            "index0" => Value::from(index0()),
            "revindex" => Value::from(self.length(machine)? as i64 - index0()),
            "revindex0" => Value::from(self.length(machine)? as i64 - index0() - 1),
            "first" => Value::Bool(index0() == 0),
            "last" => Value::Bool(self.peek(machine)?.is_none()),
            "previtem" => match &*self.before.borrow() {
                Some(item) if index0() != 0 => item.clone(),
                _ => Value::undefined("there is no previous item"),
            },
            "nextitem" => self.peek(machine)?.unwrap_or_else(|| Value::undefined("there is no next item")),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn method(&self, machine: &Machine<'_>, name: &str, arguments: Arguments) -> Result<Value> {
        let Arguments { positional, keywords } = arguments;
        if !keywords.is_empty() {
            return Err(Error::type_error(format!("LoopContext.{name}() got an unexpected keyword argument")));
        }
        if name == "cycle" {
            let index = (self.given.get().max(1) - 1) % positional.len().max(1);
            return positional.get(index).cloned().ok_or_else(|| Error::type_error("no items for cycling given"));
        }
        let same = match &*self.changed.borrow() {
            Some(last) => same_values(machine, last, &positional)?,
            None => false,
        };
        if !same {
            *self.changed.borrow_mut() = Some(positional);
        }
        Ok(Value::Bool(!same))
    }
}

fn same_values(machine: &Machine<'_>, left: &[Value], right: &[Value]) -> Result<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !left.is(right) && !equal(&machine.budget, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

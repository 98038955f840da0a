//! The variables of one call of a function.

use std::cell::RefCell;
use std::rc::Rc;

use crate::preprocess::text::jinja::syntax::tree::Slot;
use crate::preprocess::text::jinja::value::Value;

/// Variables, and those of the function around.
#[derive(Debug)]
pub(crate) struct Activation {
    slots: RefCell<Vec<Option<Value>>>,
    outside: Option<Rc<Activation>>,
}

impl Activation {
    pub(crate) fn new(slots: usize, outside: Option<Rc<Activation>>) -> Rc<Self> {
        Rc::new(Self { slots: RefCell::new(vec![None; slots]), outside })
    }

    fn at(&self, slot: Slot) -> Option<&Self> {
        let mut found = self;
        for _ in 0..slot.up {
            found = found.outside.as_deref()?;
        }
        Some(found)
    }

    /// The variable, unless it has no value.
    pub(crate) fn get(&self, slot: Slot) -> Option<Value> {
        self.at(slot)?.slots.borrow().get(slot.index as usize)?.clone()
    }

    pub(crate) fn set(&self, slot: Slot, value: Value) {
        if let Some(found) = self.at(slot) {
            found.put(slot.index as usize, Some(value));
        }
    }

    /// Sets a variable of this call.
    pub(crate) fn put(&self, index: usize, value: Option<Value>) {
        let before = self.slots.borrow_mut().get_mut(index).map(|slot| std::mem::replace(slot, value));
        drop(before);
    }

    /// Forgets all variables.
    pub(crate) fn clear(&self) {
        let before = std::mem::take(&mut *self.slots.borrow_mut());
        drop(before);
    }
}

//! Dictionaries: in the order of insertion, and with keys that are equal as Python has it (1, 1.0 and True are one).

use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use ahash::RandomState;
use indexmap::{Equivalent, IndexMap};
use num_traits::ToPrimitive;

use super::number::{Number, same_number};
use super::{Thing, Value, deepest};
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Result};

/// A value that can be a key.
#[derive(Debug, Clone)]
pub(crate) struct Key(Value);

/// A dictionary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dict {
    entries: IndexMap<Key, Value, RandomState>,
    depth: u32,
}

impl Key {
    /// The value as a key; lists and dictionaries are none. Pays for all that is read to find its place: of tuples within tuples each way
    /// to an item is gone.
    pub(crate) fn new(budget: &Budget, value: Value) -> Result<Self> {
        check(budget, &value)?;
        Ok(Self(value))
    }
}

fn check(budget: &Budget, value: &Value) -> Result<()> {
    match value {
        Value::Str(text) | Value::Markup(text) => budget.work(text.len()),
        Value::Big(number) => budget.work(number.bits() as usize / 8),
        Value::List(_) | Value::Dict(_) => Err(Error::type_error(format!("unhashable type: '{}'", value.type_name()))),
        Value::Tuple(tuple) => {
            budget.items(tuple.items.len())?;
            tuple.items.iter().try_for_each(|item| check(budget, item))
        }
        Value::Object(object) => match &object.thing {
            Thing::Bytes(bytes) => budget.work(bytes.len()),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Key {}

fn same(left: &Value, right: &Value) -> bool {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return left == right;
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return same_number(&left, &right);
    }
    match (left, right) {
        (Value::Tuple(left), Value::Tuple(right)) => {
            left.items.len() == right.items.len() && left.items.iter().zip(&right.items).all(|(left, right)| same(left, right))
        }
        (Value::Undefined(_), Value::Undefined(_)) => true,
        _ => match (left.thing(), right.thing()) {
            (Some(Thing::Bytes(left)), Some(Thing::Bytes(right))) => left == right,
            _ => left.is(right),
        },
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

fn hash<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::Str(text) | Value::Markup(text) => Text(text).hash(state),
        Value::Tuple(tuple) => {
            state.write_u8(2);
            tuple.items.iter().for_each(|item| hash(item, state));
        }
        Value::Object(object) => match &object.thing {
            Thing::Bytes(bytes) => bytes.hash(state),
            _ => (Rc::as_ptr(object) as usize).hash(state),
        },
        Value::None => state.write_u8(3),
        other => match Number::of(other) {
            // An integer may be equal to a float only where it is one. The others are told apart, for else thousands of them that lie
            // close together are all compared.
            Some(number) => {
                let float = match &number {
                    Number::Int(int) => *int as f64,
                    Number::Big(big) => big.to_f64().unwrap_or(f64::INFINITY),
                    Number::Float(float) => *float,
                };
                if same_number(&Number::Float(float), &number) || float.is_nan() {
                    return (if float == 0.0 { 0 } else { float.to_bits() }).hash(state);
                }
                match &number {
                    Number::Int(int) => int.hash(state),
                    Number::Big(big) => big.hash(state),
                    Number::Float(_) => {}
                }
            }
            None => state.write_u8(4),
        },
    }
}

/// A string as a key, without making a value of it.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(1);
        state.write(self.0.as_bytes());
    }
}

impl Equivalent<Key> for Text<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        key.0.as_str() == Some(self.0)
    }
}

impl Dict {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: IndexMap::with_capacity_and_hasher(capacity, RandomState::default()), depth: 1 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth.max(1)
    }

    /// Sets a key; one that is there keeps its place.
    pub(crate) fn insert(&mut self, key: Key, value: Value) {
        self.depth = self.depth.max(1 + deepest([&key.0, &value]));
        self.entries.insert(key, value);
    }

    /// Takes a key out; the others keep their order.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.entries.shift_remove(key);
    }

    pub(crate) fn insert_str(&mut self, key: impl Into<Arc<str>>, value: Value) {
        self.insert(Key(Value::Str(key.into())), value);
    }

    pub(crate) fn get(&self, budget: &Budget, key: &Value) -> Result<Option<&Value>> {
        if let Some(text) = key.as_str() {
            budget.work(text.len())?;
            return Ok(self.get_str(text));
        }
        Ok(self.entries.get(&Key::new(budget, key.clone())?))
    }

    pub(crate) fn get_str(&self, key: &str) -> Option<&Value> {
        self.entries.get(&Text(key))
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|(key, value)| (&key.0, value))
    }

    /// The entry at a place.
    pub(crate) fn at(&self, index: usize) -> Option<(&Value, &Value)> {
        self.entries.get_index(index).map(|(key, value)| (&key.0, value))
    }
}

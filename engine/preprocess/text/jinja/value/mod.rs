//! The values of a template: Python's.

pub(crate) mod convert;
pub(crate) mod dict;
pub(crate) mod digits;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod repr;

use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;

pub(crate) use dict::{Dict, Key};
pub(crate) use object::{Object, Thing};

use super::budget::Budget;
use super::error::{Error, Kind, Result};

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits.
    Big(Rc<BigInt>),
    Float(f64),
    Str(Arc<str>),
    /// A string that is HTML already (`markupsafe.Markup`).
    Markup(Arc<str>),
    List(Rc<List>),
    Tuple(Rc<Tuple>),
    Dict(Rc<Dict>),
    Object(Rc<Object>),
}

/// A list; nothing that a template can call changes one.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
    depth: u32,
}

#[derive(Debug)]
pub(crate) struct Tuple {
    pub(crate) items: Vec<Value>,
    depth: u32,
    /// A pair of `groupby`, whose items have names.
    pub(crate) grouped: bool,
}

/// What is not there, and what to say when it is used.
#[derive(Debug, Clone)]
pub(crate) struct Undefined {
    pub(crate) message: String,
    pub(crate) kind: Kind,
}

impl Value {
    pub(crate) fn str(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into())
    }

    /// A string, marked as HTML or not.
    pub(crate) fn text(text: impl Into<Arc<str>>, markup: bool) -> Self {
        if markup { Self::Markup(text.into()) } else { Self::Str(text.into()) }
    }

    /// A string that was made, if the budget allows it.
    pub(crate) fn made(budget: &Budget, text: String) -> Result<Self> {
        budget.make(text.len())?;
        Ok(Self::str(text))
    }

    pub(crate) fn list(budget: &Budget, items: Vec<Value>) -> Result<Self> {
        budget.make_items(items.len())?;
        let depth = deepest(&items) + 1;
        Budget::nest(depth)?;
        Ok(Self::List(Rc::new(List { items, depth })))
    }

    pub(crate) fn tuple(budget: &Budget, items: Vec<Value>) -> Result<Self> {
        Self::tuple_of(budget, items, false)
    }

    pub(crate) fn tuple_of(budget: &Budget, items: Vec<Value>, grouped: bool) -> Result<Self> {
        budget.make_items(items.len())?;
        let depth = deepest(&items) + 1;
        Budget::nest(depth)?;
        Ok(Self::Tuple(Rc::new(Tuple { items, depth, grouped })))
    }

    pub(crate) fn dict(dict: Dict) -> Result<Self> {
        Budget::nest(dict.depth())?;
        Ok(Self::Dict(Rc::new(dict)))
    }

    pub(crate) fn object(thing: Thing) -> Result<Self> {
        let depth = thing.depth() + 1;
        Budget::nest(depth)?;
        Ok(Self::Object(Rc::new(Object::new(thing, depth))))
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined { message: message.into(), kind: Kind::Undefined }))
    }

    /// A variable that nobody set.
    pub(crate) fn missing(name: &str) -> Self {
        Self::undefined(format!("'{name}' is undefined"))
    }

    /// How deep it nests.
    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth,
            Self::Tuple(tuple) => tuple.depth,
            Self::Dict(dict) => dict.depth(),
            Self::Object(object) => object.depth(),
            _ => 0,
        }
    }

    /// The text of a string, marked as HTML or not.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_arc(&self) -> Option<&Arc<str>> {
        match self {
            Self::Str(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn is_markup(&self) -> bool {
        matches!(self, Self::Markup(_))
    }

    /// The items of a list or a tuple.
    pub(crate) fn as_items(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(&list.items),
            Self::Tuple(tuple) => Some(&tuple.items),
            _ => None,
        }
    }

    pub(crate) fn thing(&self) -> Option<&Thing> {
        match self {
            Self::Object(object) => Some(&object.thing),
            _ => None,
        }
    }

    /// `type(value).__name__`
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Markup(_) => "Markup",
            Self::List(_) => "list",
            Self::Tuple(tuple) if tuple.grouped => "_GroupTuple",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Object(object) => object.thing.type_name(),
        }
    }

    /// How messages about missing attributes call a value.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Markup(_) => "markupsafe.Markup object".to_owned(),
            Self::Object(object) => format!("{} object", object.thing.full_name()),
            other => format!("{} object", other.type_name()),
        }
    }

    /// Whether two values are the same object.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits() && !left.is_nan(),
            (Self::Str(left), Self::Str(right)) | (Self::Markup(left), Self::Markup(right)) => Arc::ptr_eq(left, right),
            (Self::List(left), Self::List(right)) => Rc::ptr_eq(left, right),
            (Self::Tuple(left), Self::Tuple(right)) => Rc::ptr_eq(left, right) || (left.items.is_empty() && right.items.is_empty()),
            (Self::Dict(left), Self::Dict(right)) => Rc::ptr_eq(left, right),
            (Self::Object(left), Self::Object(right)) => Rc::ptr_eq(left, right),
            (Self::Undefined(left), Self::Undefined(right)) => Rc::ptr_eq(left, right),
            _ => false,
        }
    }

    /// An error where a value that is not there is used.
    pub(crate) fn defined(&self) -> Result<&Self> {
        match self {
            Self::Undefined(undefined) => Err(undefined.error()),
            _ => Ok(self),
        }
    }
}

impl Undefined {
    pub(crate) fn error(&self) -> Error {
        Error::new(self.kind, self.message.clone())
    }
}

/// How deep the deepest of some values nests.
pub(crate) fn deepest<'a>(values: impl IntoIterator<Item = &'a Value>) -> u32 {
    values.into_iter().map(Value::depth).max().unwrap_or(0)
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Big(Rc::new(value.into())), Self::Int)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::str(value)
    }
}

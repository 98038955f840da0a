//! The arguments of a call, and how Python binds them to names.

use std::sync::Arc;

use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::value::{Value, number};

/// Arguments of a call.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arguments {
    pub(crate) positional: Vec<Value>,
    pub(crate) keywords: Vec<(Arc<str>, Value)>,
}

impl Arguments {
    pub(crate) fn of(positional: Vec<Value>) -> Self {
        Self { positional, keywords: Vec::new() }
    }

    /// Takes a keyword argument out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.keywords.iter().position(|(other, _)| &**other == name)?;
        Some(self.keywords.remove(index).1)
    }

    /// Binds the arguments to the names of a function, of which the first must be there.
    pub(crate) fn bind<const N: usize>(self, function: &str, names: [&str; N], required: usize) -> Result<Bound<N>> {
        let count = self.positional.len();
        if count > N {
            return Err(Error::type_error(format!("{function}() takes {N} positional arguments but {count} were given")));
        }
        let mut values = [const { None }; N];
        for (slot, value) in values.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.keywords {
            let Some(index) = names.iter().position(|known| *known == &*name) else {
                return Err(Error::type_error(format!("{function}() got an unexpected keyword argument '{name}'")));
            };
            if values[index].replace(value).is_some() {
                return Err(Error::type_error(format!("{function}() got multiple values for argument '{name}'")));
            }
        }
        if let Some(missing) = names.iter().zip(&values).take(required).find(|(_, value)| value.is_none()) {
            return Err(Error::type_error(format!("{function}() missing 1 required positional argument: '{}'", missing.0)));
        }
        Ok(Bound(values))
    }

    /// Binds arguments that have no names.
    pub(crate) fn unnamed<const N: usize>(self, function: &str, required: usize) -> Result<Bound<N>> {
        if !self.keywords.is_empty() {
            return Err(Error::type_error(format!("{function}() takes no keyword arguments")));
        }
        self.bind(function, [""; N], required)
    }
}

/// Arguments by their places.
#[derive(Debug)]
pub(crate) struct Bound<const N: usize>([Option<Value>; N]);

impl<const N: usize> Bound<N> {
    /// An argument, `None` where it was not given.
    pub(crate) fn given(&self, index: usize) -> Option<&Value> {
        self.0.get(index)?.as_ref()
    }

    /// An argument that must be there.
    pub(crate) fn value(&self, index: usize) -> &Value {
        self.given(index).unwrap_or(&Value::None)
    }

    /// An argument that is neither missing nor `None`.
    pub(crate) fn some(&self, index: usize) -> Option<&Value> {
        self.given(index).filter(|value| !value.is_none())
    }

    pub(crate) fn truth(&self, index: usize, default: bool) -> Result<bool> {
        self.given(index).map_or(Ok(default), super::operators::truth)
    }

    /// An integer argument.
    pub(crate) fn integer(&self, index: usize, default: i64) -> Result<i64> {
        self.given(index).map_or(Ok(default), integer)
    }

    /// A string argument.
    pub(crate) fn text(&self, index: usize) -> Result<Option<&str>> {
        match self.some(index) {
            None => Ok(None),
            Some(value) => text(value).map(Some),
        }
    }
}

/// A value that must be an integer.
pub(crate) fn integer(value: &Value) -> Result<i64> {
    number::index(value).ok_or_else(|| Error::type_error(format!("'{}' object cannot be interpreted as an integer", value.type_name())))
}

/// A value that must be a string.
pub(crate) fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| Error::type_error(format!("must be str, not {}", value.type_name())))
}

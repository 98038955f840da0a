//! What a run gave, by name.

use ndarray::{CowArray, IxDyn};

use super::Value;
use crate::{Error, ErrorKind, Result};

/// What a run gave, by name, in the order in which it was asked for.
#[derive(Debug)]
pub struct Outputs {
    values: Vec<(String, Value)>,
}

impl Outputs {
    pub(super) fn new(values: Vec<(String, Value)>) -> Self {
        Self { values }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is an output of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    /// An output.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is none of this name.
    pub fn get(&self, name: &str) -> Result<&Value> {
        self.values.iter().find(|(other, _)| other == name).map(|(_, value)| value).ok_or_else(|| self.missing(name))
    }

    /// An output as float32: where it lies when that is what it is, else converted.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is none of this name, or it holds no floating-point numbers.
    pub fn f32(&self, name: &str) -> Result<CowArray<'_, f32, IxDyn>> {
        self.get(name)?.to_f32().map_err(|error| error.at(format!("output `{name}`")))
    }

    /// An output as int64: where it lies when that is what it is, else converted.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is none of this name, or it holds no whole numbers.
    pub fn i64(&self, name: &str) -> Result<CowArray<'_, i64, IxDyn>> {
        self.get(name)?.to_i64().map_err(|error| error.at(format!("output `{name}`")))
    }

    /// Takes an output out, without a copy.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when there is none of this name.
    pub fn take(&mut self, name: &str) -> Result<Value> {
        match self.values.iter().position(|(other, _)| other == name) {
            Some(index) => Ok(self.values.swap_remove(index).1),
            None => Err(self.missing(name)),
        }
    }

    fn missing(&self, name: &str) -> Error {
        let has: Vec<_> = self.names().collect();
        Error::new(ErrorKind::Runtime, format!("the model gave no output `{name}`, only {}", has.join(", ")))
    }
}

impl IntoIterator for Outputs {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}

//! The keyword arguments of a call.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{elsewhere, near::did_you_mean};
use crate::{Error, Result, config, error::in_words};

/// The keyword arguments of a call. Each is taken once; [`Parameters::finish`] refuses what nobody took.
#[derive(Debug, Clone)]
pub struct Parameters {
    fields: Map<String, Value>,
    /// What the object is called in the request.
    place: String,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { fields: Map::new(), place: "parameters".into() }
    }
}

impl Parameters {
    /// From a JSON object, or null for none.
    pub fn new(parameters: &Value) -> Result<Self> {
        match parameters {
            Value::Null => Ok(Self::default()),
            Value::Object(fields) => Ok(Self { fields: fields.clone(), ..Self::default() }),
            _ => Err(Error::request("parameters", "not an object of names and values")),
        }
    }

    /// A parameter; `None` where it is missing or null.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        Ok(self.take_nullable(name)?.flatten())
    }

    /// A parameter for which null means something: `Some(None)` where it is null, `None` where it is missing.
    pub fn take_nullable<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<Option<T>>> {
        let Some(value) = self.fields.shift_remove(name) else { return Ok(None) };
        config::from_value(value).map(Some).map_err(|e| Error::request(&format!("{}.{name}", self.place), in_words(&e)))
    }

    /// How long to wait, in seconds; `None` where it is missing or null.
    pub fn take_seconds(&mut self, name: &str) -> Result<Option<Duration>> {
        /// No clock counts further.
        const LONGEST: f64 = 1e9;
        let Some(seconds) = self.take::<f64>(name)? else { return Ok(None) };
        let duration = Duration::try_from_secs_f64(seconds.min(LONGEST));
        duration.map(Some).map_err(|_| Error::request(&format!("{}.{name}", self.place), format!("{seconds} is no number of seconds")))
    }

    /// The parameters of an inner call that are themselves an object (`tokenize_kwargs`, `generate_kwargs`).
    pub fn take_object(&mut self, name: &str) -> Result<Self> {
        let value = self.fields.shift_remove(name).unwrap_or_default();
        let place = format!("{}.{name}", self.place);
        match Self::new(&value) {
            Ok(inner) => Ok(Self { place, ..inner }),
            Err(_) => Err(Error::request(&place, "not an object of names and values")),
        }
    }

    /// All parameters with names that `known` knows, null or not.
    pub fn take_rest(&mut self, known: impl Fn(&str) -> bool) -> Map<String, Value> {
        let (taken, left) = std::mem::take(&mut self.fields).into_iter().partition(|(name, _)| known(name));
        self.fields = left;
        taken
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    /// A parameter as it was given, left where it is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Whether the parameter is there, null or not.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// An error that names the parameters that nobody took.
    pub fn finish(self, known: &[&str]) -> Result<()> {
        let Some(name) = self.fields.keys().next() else { return Ok(()) };
        let message = match elsewhere::told(name, known) {
            Some(told) => format!("this task has no such parameter: {told}"),
            None => {
                let meant = did_you_mean(name, known.iter().copied());
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                format!("this task has no such parameter{meant}; it has {known}")
            }
        };
        Err(Error::request(&format!("{}.{name}", self.place), message))
    }
}

/// The names of a list but for those of another, which are all in it.
pub(super) const fn without<const N: usize>(all: &[&'static str], others: &[&str]) -> [&'static str; N] {
    assert!(N + others.len() == all.len(), "the length is that of what is left");
    let mut left = [""; N];
    let (mut place, mut at) = (0, 0);
    while at < all.len() {
        if !contains(others, all[at]) {
            left[place] = all[at];
            place += 1;
        }
        at += 1;
    }
    left
}

/// Whether a list has a name.
const fn contains(list: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < list.len() {
        if same(list[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// The names of two lists as one.
pub(super) const fn joined<const N: usize>(own: &[&'static str], others: &[&'static str]) -> [&'static str; N] {
    assert!(own.len() + others.len() == N, "the length is that of both lists");
    let mut all = [""; N];
    let mut place = 0;
    while place < N {
        all[place] = if place < own.len() { own[place] } else { others[place - own.len()] };
        place += 1;
    }
    all
}

//! Attributes that filters look up, by paths such as `address.city` or `0.name`.

use crate::preprocess::text::jinja::error::Result;
use crate::preprocess::text::jinja::run::attributes::item;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::Value;

/// What is looked up in a value, and what becomes of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Getter {
    path: Vec<Value>,
    default: Option<Value>,
    /// Strings are lowered, so that they compare without their case.
    lowered: bool,
}

impl Getter {
    pub(super) fn new(machine: &Machine<'_>, attribute: Option<&Value>) -> Result<Self> {
        let path = match attribute {
            None => Vec::new(),
            Some(attribute) => match attribute.as_str() {
                Some(path) => {
                    machine.budget.make(path.len().saturating_mul(8))?;
                    path.split('.').map(part).collect()
                }
                None => vec![attribute.clone()],
            },
        };
        Ok(Self { path, default: None, lowered: false })
    }

    pub(super) fn with_default(self, default: Option<Value>) -> Self {
        Self { default, ..self }
    }

    pub(super) fn lowered(self, lowered: bool) -> Self {
        Self { lowered, ..self }
    }

    pub(super) fn depth(&self) -> u32 {
        self.default.as_ref().map_or(0, Value::depth)
    }

    /// The attribute of a value.
    pub(super) fn get(&self, machine: &Machine<'_>, value: &Value) -> Result<Value> {
        let mut found = value.clone();
        for key in &self.path {
            found = item(machine, &found, key)?;
            if let (true, Some(default)) = (found.is_undefined(), &self.default) {
                found = default.clone();
            }
        }
        match found.as_str() {
            Some(text) if self.lowered => {
                machine.budget.make(text.len())?;
                Ok(Value::text(text.to_lowercase(), found.is_markup()))
            }
            _ => Ok(found),
        }
    }
}

fn part(text: &str) -> Value {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<i64>().ok().filter(|_| is_number).map_or_else(|| Value::from(text), Value::from)
}

/// Several attributes at once, as `sort` takes them.
pub(super) fn several(machine: &Machine<'_>, attribute: Option<&Value>, lowered: bool) -> Result<Vec<Getter>> {
    match attribute.and_then(Value::as_str) {
        Some(paths) => paths.split(',').map(|path| Ok(Getter::new(machine, Some(&Value::from(path)))?.lowered(lowered))).collect(),
        None => Ok(vec![Getter::new(machine, attribute)?.lowered(lowered)]),
    }
}

//! The fields of an input: some named by `--param`, the others filled with what is given.

use formers::{Error, pipelines::Task};
use serde_json::{Map, Value};

/// A task's fields, and those that are filled already.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    task: &'static Task,
    named: Map<String, Value>,
    /// Whether values are left as they are, whatever the task.
    raw: bool,
}

impl Fields {
    /// Takes the fields that are named among the parameters.
    pub(super) fn of(task: &'static Task, parameters: &mut Map<String, Value>) -> Self {
        let named = task.fields.iter().filter_map(|field| parameters.shift_remove_entry(name(field))).collect();
        Self { task, named, raw: false }
    }

    /// What leaves values as they are.
    pub(super) fn raw(&self) -> Self {
        Self { raw: true, ..self.clone() }
    }

    /// Whether a text is an input as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.raw || self.named.is_empty() && self.task.fields.iter().skip(1).all(|field| field.ends_with('?'))
    }

    /// Whether one text makes an input.
    pub(super) fn takes_one_text(&self) -> bool {
        self.is_plain() || matches!(self.open().as_slice(), [field] if !field.ends_with("[]"))
    }

    /// The fields that must be filled.
    fn open(&self) -> Vec<&'static str> {
        let is_open = |field: &&&str| !field.ends_with('?') && !self.named.contains_key(name(field));
        self.task.fields.iter().filter(is_open).copied().collect()
    }

    /// The input that one value stands for: an object whose fields go before those that are named, or what fills the only open field.
    pub(super) fn input(&self, value: Value) -> formers::Result<Value> {
        match value {
            value if self.is_plain() => Ok(value),
            Value::Object(mut fields) => {
                for (field, value) in &self.named {
                    fields.entry(field.clone()).or_insert_with(|| value.clone());
                }
                Ok(Value::Object(fields))
            }
            value => match self.open().as_slice() {
                [field] if !field.ends_with("[]") || value.is_array() => Ok(self.object([(*field, value)])),
                [] => Err(self.wrong(format!("an input too many: every field is given by --param; {}", self.takes()))),
                [field, ..] => Err(self.missing(field)),
            },
        }
    }

    /// The input that several texts fill together, or the list of them where only one field is left open.
    pub(super) fn inputs(&self, texts: Vec<Value>) -> formers::Result<Value> {
        let open = self.open();
        if let [field] = open.as_slice()
            && !field.ends_with("[]")
            && texts.len() > 1
        {
            return Ok(texts.into_iter().map(|text| self.object([(*field, text)])).collect());
        }
        let (given, mut filled) = (texts.len(), Vec::new());
        let mut texts = texts.into_iter();
        for field in open {
            let value = match field.ends_with("[]") {
                true => Some(texts.by_ref().collect()).filter(|list| *list != Value::Array(vec![])),
                false => texts.next(),
            };
            filled.push((field, value.ok_or_else(|| self.missing(field))?));
        }
        if texts.next().is_some() {
            return Err(self.wrong(format!("{given} INPUTs are too many: {}", self.takes())));
        }
        Ok(self.object(filled))
    }

    fn object(&self, filled: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        let mut all = self.named.clone();
        all.extend(filled.into_iter().map(|(field, value)| (name(field).to_owned(), value)));
        Value::Object(all)
    }

    fn takes(&self) -> String {
        format!("{} takes {}", self.task.id, self.task.inputs)
    }

    fn missing(&self, field: &str) -> Error {
        let field = name(field);
        self.wrong(format!("no {field}: {}; give it as an INPUT or by --param {field}=…", self.takes()))
    }

    fn wrong(&self, message: String) -> Error {
        Error::new(formers::ErrorKind::Request, message)
    }
}

/// A field without the marks of [`Task::fields`].
fn name(field: &str) -> &str {
    field.trim_end_matches("[]").trim_end_matches('?')
}

//! What becomes of a schema.

use serde_json::{Map, Value};

/// The keywords of a schema for the engine, in the order in which it takes them: what it applies, and what it asserts of a type.
#[derive(Default)]
pub(super) struct Out {
    pub(super) asserted: Map<String, Value>,
    /// Properties that patterns name.
    pub(super) named: Vec<(String, Value)>,
    applied: Map<String, Value>,
    all_of: Vec<Value>,
    applied_first: bool,
}

impl Out {
    pub(super) fn assert(&mut self, keyword: &str, value: Value) {
        self.asserted.insert(keyword.to_owned(), value);
    }

    pub(super) fn apply(&mut self, keyword: &str, value: Value) {
        self.applied_first |= self.asserted.is_empty();
        self.applied.insert(keyword.to_owned(), value);
    }

    /// Holds to another schema as well.
    pub(super) fn and(&mut self, schema: Value) {
        self.applied_first |= self.asserted.is_empty();
        self.all_of.push(schema);
    }

    pub(super) fn into_value(self) -> Map<String, Value> {
        let Self { asserted, mut applied, all_of, applied_first, .. } = self;
        if !all_of.is_empty() {
            applied.insert("allOf".into(), Value::Array(all_of));
        }
        let (mut first, second) = if applied_first { (applied, asserted) } else { (asserted, applied) };
        first.extend(second);
        first
    }
}

//! `config.json`: what every architecture has in common.

#[cfg(feature = "text")]
mod generation;
mod labels;
mod lenient;

use serde_json::Value;

use crate::{Error, Result};

#[cfg(feature = "text")]
pub use generation::{EarlyStopping, GenerationConfig, GenerationDefaults, Lengths, Watermarking};
pub use labels::{ClassName, Labels};
pub(crate) use lenient::{from_value, integer, truth};

/// `config.json` as it is, and the fields that tasks read.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    value: Value,
    labels: Labels,
}

impl ModelConfig {
    /// Reads the fields that tasks need; architectures read their own when their graph is made.
    pub fn new(value: Value) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::config("config.json: not an object"));
        }
        let labels = Labels::read(&value)?;
        if labels.count() == 1 && value.get("problem_type").is_some_and(|kind| kind == "single_label_classification") {
            let message =
                "config.json: problem_type: single_label_classification needs several classes, and id2label (or num_labels) has one";
            return Err(Error::config(message));
        }
        Ok(Self { value, labels })
    }

    /// The whole of `config.json`.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// `model_type`
    pub fn model_type(&self) -> &str {
        self.text("model_type").unwrap_or_default()
    }

    /// `architectures`: the classes that the checkpoint was saved from.
    pub fn architectures(&self) -> Vec<&str> {
        let classes = self.value.get("architectures").and_then(Value::as_array);
        classes.map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// The names of the classes (`id2label`, or `LABEL_0`, `LABEL_1`, … for `num_labels`).
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// `label2id` in the order of the file; the reverse of `id2label` where there is none.
    ///
    /// # Errors
    /// A label whose number is none.
    pub fn label_ids(&self) -> Result<Vec<(String, i64)>> {
        self.labels.ids(&self.value)
    }

    /// `problem_type`: `regression`, `single_label_classification`, `multi_label_classification`.
    pub fn problem_type(&self) -> Option<&str> {
        self.text("problem_type")
    }

    /// A field that is a string.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.value.get(field).and_then(Value::as_str)
    }

    /// A field that is a whole number.
    pub fn integer(&self, field: &str) -> Option<i64> {
        self.value.get(field).and_then(integer)
    }
}

//! `config.json`: what every architecture has in common.

#[cfg(feature = "text")]
mod generation;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Error, Result};

#[cfg(feature = "text")]
pub use generation::{EarlyStopping, GenerationConfig, GenerationDefaults, Lengths, Watermarking};

/// `config.json` as it is, and the fields that tasks read.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    value: Value,
    labels: Vec<String>,
}

impl ModelConfig {
    /// Reads the fields that tasks need; architectures read their own when their graph is made.
    pub fn new(value: Value) -> Result<Self> {
        if !value.is_object() {
            return Err(Error::config("config.json: not an object"));
        }
        let labels = labels(&value)?;
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

    /// The name of each class, in the order of the logits (`id2label`, or `LABEL_0`, `LABEL_1`, … for `num_labels`).
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The name of one class.
    pub fn label(&self, id: usize) -> Result<&str> {
        self.labels.get(id).map(String::as_str).ok_or_else(|| {
            Error::config(format!("config.json: id2label names {} classes, but the model gives a score for class {id}", self.labels.len()))
        })
    }

    /// `label2id` in the order of the file; the reverse of `id2label` where there is none.
    pub fn label_ids(&self) -> Vec<(&str, i64)> {
        match self.value.get("label2id").and_then(Value::as_object) {
            Some(map) => map.iter().filter_map(|(label, id)| Some((label.as_str(), id.as_i64()?))).collect(),
            None => self.labels.iter().enumerate().map(|(id, label)| (label.as_str(), id as i64)).collect(),
        }
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
        self.value.get(field).and_then(Value::as_i64)
    }
}

fn labels(config: &Value) -> Result<Vec<String>> {
    const MOST: usize = 1_000_000;
    let field = |message: String| Error::config(format!("config.json: {message}"));
    match config.get("id2label") {
        Some(Value::Object(map)) => {
            let mut by_id = BTreeMap::new();
            for (id, label) in map {
                let id: usize = id.parse().map_err(|_| field(format!("id2label: {id:?} is no class number")))?;
                let label = label.as_str().map_or_else(|| label.to_string(), str::to_string);
                by_id.insert(id, label);
            }
            if by_id.last_key_value().is_some_and(|(&last, _)| last != by_id.len() - 1) {
                return Err(field("id2label: the class numbers must be 0, 1, 2, … without a gap".into()));
            }
            Ok(by_id.into_values().collect())
        }
        Some(Value::Null) | None => {
            let count = config.get("num_labels").and_then(Value::as_u64).unwrap_or(2) as usize;
            if count > MOST {
                return Err(field(format!("num_labels: {count} classes are too many")));
            }
            Ok((0..count).map(|id| format!("LABEL_{id}")).collect())
        }
        Some(_) => Err(field("id2label: not an object".into())),
    }
}

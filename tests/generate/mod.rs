//! Generation: how tokens are chosen, against the reference's answers (scripts/goldens/logits.py), and the loop around it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod configuration;
mod drafts;
mod fake;
mod looping;
mod processors;
mod runs;
mod stopping;

use formers::Result;
use formers::config::{GenerationConfig, GenerationDefaults};
use serde_json::{Map, Value, json};

pub(crate) fn goldens(name: &str) -> Value {
    let path = format!("{}/tests/goldens/generate/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn number(value: &Value) -> f32 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_f64().unwrap() as f32,
    }
}

pub(crate) fn tokens(value: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(value.clone()).unwrap()
}

pub(crate) fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) fn resolve(defaults: &Value, call: &Map<String, Value>) -> Result<GenerationConfig> {
    let file = if defaults.is_null() { json!({}) } else { defaults.clone() };
    GenerationConfig::resolve(&GenerationDefaults::new(Some(&file), &json!({}))?, &Map::new(), call)
}

pub(crate) fn paddings(case: &Value, rows: usize) -> Vec<usize> {
    case.get("padding").map_or(vec![0; rows], |p| serde_json::from_value(p.clone()).unwrap())
}

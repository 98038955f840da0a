//! What a golden asks for, and whether an answer is the one that it has.

use std::path::{Path, PathBuf};

use formers_models::Architecture;
use serde_json::{Value, json};

/// The most that two numbers may differ, beside rounding of large ones.
const TOLERANCE: f64 = 1e-4;

/// The folders with a checkpoint and the answers that Python gave with it.
///
/// Language models have theirs in a folder of their own, some of them ahead of their architecture: those are left out.
pub(crate) fn checkpoints() -> Vec<PathBuf> {
    let root = formers_testing::goldens();
    let folders = |path: &Path| std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect::<Vec<_>>();
    let families = folders(&root).into_iter().chain(folders(&root.join("generate/models")));
    let is_golden = |path: &PathBuf| path.join("golden.json").exists() && path.join("config.json").exists();
    let mut found: Vec<PathBuf> = families.flat_map(|family| folders(&family)).filter(is_golden).collect();
    found.retain(|path| !path.starts_with(root.join("generate")) || is_known(&json(&path.join("config.json"))));
    found.sort();
    found.iter().map(|folder| formers_testing::checkpoint(folder)).collect()
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn is_known(config: &Value) -> bool {
    let architecture = formers_models::find(config["model_type"].as_str().unwrap_or_default());
    let head = |known: &Architecture| config["architectures"][0].as_str().and_then(|class| known.head_of(class));
    architecture.is_some_and(|known| head(known).is_some_and(|head| known.heads.contains(&head)))
}

/// Paths of media are relative to the golden's folder, wherever its checkpoint was made.
pub(crate) fn media(folder: &Path, inputs: &Value) -> Value {
    match inputs {
        Value::String(text) if text.starts_with("../../media/") => {
            json!(formers_testing::goldens().join(formers_testing::name(folder)).join(text).to_string_lossy())
        }
        Value::Array(list) => list.iter().map(|v| media(folder, v)).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), media(folder, v))).collect(),
        other => other.clone(),
    }
}

/// The same structure, the same strings, numbers within the tolerance, fields in the same order.
pub(crate) fn same(python: &Value, ours: &Value, place: &str) -> Result<(), String> {
    let differ = || Err(format!("{place}: Python {}, here {}", shortened(python), shortened(ours)));
    match (python, ours) {
        (Value::Number(a), Value::Number(b)) if a.is_i64() && b.is_i64() => {
            if a == b {
                Ok(())
            } else {
                differ()
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            if (a - b).abs() <= TOLERANCE * a.abs().max(1.0) { Ok(()) } else { differ() }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().try_for_each(|(i, (a, b))| same(a, b, &format!("{place}[{i}]")))
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().zip(b.values()).try_for_each(|((k, a), b)| same(a, b, &format!("{place}.{k}")))
        }
        (a, b) if a == b => Ok(()),
        _ => differ(),
    }
}

pub(crate) fn shortened(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 160 { format!("{}…", text.chars().take(160).collect::<String>()) } else { text }
}

//! The tables against the files: what is registered is where its name says, and has goldens.
#![allow(clippy::unwrap_used, dead_code)]

use crate::goldens;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use formers::pipelines::TASKS;
use formers_models::{ARCHITECTURES, Head};
use goldens::{checkpoints, json};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// `config.json` and `golden.json` of every golden checkpoint.
fn recorded() -> Vec<(Value, Value)> {
    checkpoints().iter().map(|folder| (json(&folder.join("config.json")), json(&folder.join("golden.json")))).collect()
}

#[test]
fn tasks_are_sorted_and_each_has_its_file() {
    let ids: Vec<&str> = TASKS.iter().map(|task| task.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    for id in ids {
        let file = root().join("engine/pipelines").join(id.replace('-', "_"));
        assert!(file.with_extension("rs").is_file() || file.join("mod.rs").is_file(), "{id} has no file of its name");
    }
}

#[test]
fn every_task_has_goldens_and_every_golden_has_a_task() {
    let goldens = recorded();
    let tasks: BTreeSet<&str> =
        goldens.iter().flat_map(|(_, golden)| golden["cases"].as_array().unwrap()).map(|c| c["task"].as_str().unwrap()).collect();
    let untested: Vec<&str> = TASKS.iter().map(|task| task.id).filter(|id| !tasks.contains(id)).collect();
    assert!(untested.is_empty(), "tasks without a golden: {untested:?}");
    let unknown: Vec<&&str> = tasks.iter().filter(|task| formers::pipelines::find(task).is_err()).collect();
    assert!(unknown.is_empty(), "goldens of unknown tasks: {unknown:?}");
}

#[test]
fn every_architecture_has_two_configs_and_a_golden_for_each_head() {
    let mut configs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (config, _) in recorded() {
        configs.entry(config["model_type"].as_str().unwrap_or_default().to_string()).or_default().push(config);
    }
    let (mut problems, mut parts): (Vec<String>, BTreeMap<&str, Vec<Value>>) = Default::default();
    // What is only a part of others has its configs within theirs.
    for config in configs.values().flatten().flat_map(|config| config.as_object().unwrap().values()).filter(|value| value.is_object()) {
        if let Some(part) = config["model_type"].as_str().and_then(formers_models::find).filter(|known| known.heads.is_empty()) {
            parts.entry(part.model_type).or_default().push(config.clone());
        }
    }
    configs.extend(parts.into_iter().map(|(model_type, configs)| (model_type.to_owned(), configs)));
    for architecture in ARCHITECTURES {
        let configs = configs.get(architecture.model_type).map(Vec::as_slice).unwrap_or_default();
        let mut shapes: Vec<Vec<(&String, &Value)>> = configs.iter().map(shape).collect();
        shapes.dedup();
        if shapes.len() < 2 {
            problems.push(format!("{} has fewer than two different configs", architecture.model_type));
        }
        let classes: BTreeSet<&str> = configs.iter().filter_map(|c| c["architectures"][0].as_str()).collect();
        for head in architecture.heads.iter().filter(|head| **head != Head::Base) {
            if !classes.iter().any(|class| architecture.head_of(class) == Some(*head)) {
                problems.push(format!("{} has no golden {head}", architecture.model_type));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What makes two configs different models, not just different heads.
fn shape(config: &Value) -> Vec<(&String, &Value)> {
    const LABELS: &[&str] =
        &["architectures", "id2label", "label2id", "num_labels", "problem_type", "transformers_version", "dtype", "torch_dtype"];
    config.as_object().unwrap().iter().filter(|(key, _)| !LABELS.contains(&key.as_str())).collect()
}

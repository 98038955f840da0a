//! Checkpoints with something changed in their files: the answer of this library against the one that Python gave, or an error where
//! Python fails.
//!
//! `FORMERS_VARIANT=rotary` runs only variants whose group, base or note contains that.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::goldens;

use std::{fs, path::Path};

use formers::{
    Options,
    preprocess::text::{EncodeOptions, Folder, Tokenizer},
};
use goldens::{json, media, same, shortened};
use serde_json::{Map, Value, json};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

/// Fails with all variants of a group that differ.
fn check(group: &str) {
    let chosen = std::env::var("FORMERS_VARIANT").unwrap_or_default();
    let rows = json(&root().join("variants").join(format!("{group}.json")));
    let mut failures = Vec::new();
    for row in rows.as_array().unwrap() {
        let name = format!("{group}: {}: {}", row["base"].as_str().unwrap(), row["note"].as_str().unwrap());
        if name.contains(&chosen) {
            failures.extend(problems(row).into_iter().map(|problem| format!("{name}\n  {problem}")));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

fn problems(row: &Value) -> Vec<String> {
    let base = formers_testing::golden(row["base"].as_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    copy(&base, &model);
    change(&base, &model, row);
    let task = row["task"].as_str().unwrap();
    let requests = row["requests"].as_array().unwrap();
    let answer = |request: &Value, ours: Result<Value, String>| -> Result<(), String> {
        match (ours, request.get("answer")) {
            (Err(_), None) => Ok(()),
            (Err(error), Some(_)) => Err(format!("{} {}: {error}", request["inputs"], request["parameters"])),
            (Ok(ours), None) => {
                Err(format!("{} {}: Python fails, this gives {}", request["inputs"], request["parameters"], shortened(&ours)))
            }
            (Ok(ours), Some(python)) => same(python, &ours, &format!("{}: answer", request["parameters"])),
        }
    };
    let pipeline = (task != "tokens").then(|| formers::pipeline(task, Options::new(model.to_string_lossy())).map_err(|e| e.to_string()));
    let ask = |request: &Value| match &pipeline {
        None => tokens(&model, request["inputs"].as_str().unwrap()).map_err(|e| e.to_string()),
        Some(Ok(pipeline)) => pipeline.call(&media(&base, &request["inputs"]), &request["parameters"]).map_err(|e| e.to_string()),
        Some(Err(error)) => Err(error.clone()),
    };
    requests.iter().filter_map(|request| answer(request, ask(request)).err()).collect()
}

/// The ids of a text, what is left of them without special tokens, and which those are.
fn tokens(folder: &Path, text: &str) -> formers::Result<Value> {
    let tokenizer = Tokenizer::from_files(&Folder::new(folder), &json(&folder.join("config.json")))?;
    let ids = tokenizer.encode(text, None, &EncodeOptions::default())?.ids;
    let shown = tokenizer.decode(&ids, true, None)?;
    let mut special = tokenizer.all_special_ids();
    special.sort_unstable();
    special.dedup();
    Ok(json!({"ids": ids, "text": shown, "special": special}))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// What `scripts/goldens/variants.py` does.
fn change(base: &Path, model: &Path, row: &Value) {
    let entries = |name: &str| row[name].as_object().cloned().unwrap_or_default();
    for (file, names) in entries("split") {
        fs::create_dir_all(model.join(&file).parent().unwrap()).unwrap();
        fs::write(model.join(file), part(&base.join("model.safetensors"), names.as_array().unwrap())).unwrap();
    }
    for (file, values) in entries("set") {
        edit(&model.join(file), |json| values.as_object().unwrap().iter().for_each(|(pointer, value)| put(json, pointer, Some(value))));
    }
    for (file, pointers) in entries("drop") {
        edit(&model.join(file), |json| pointers.as_array().unwrap().iter().for_each(|pointer| put(json, pointer.as_str().unwrap(), None)));
    }
    for (file, text) in entries("write") {
        fs::create_dir_all(model.join(&file).parent().unwrap()).unwrap();
        fs::write(model.join(file), text.as_str().unwrap()).unwrap();
    }
    for name in row["remove"].as_array().into_iter().flatten().map(|name| model.join(name.as_str().unwrap())) {
        if name.is_dir() { fs::remove_dir_all(name).unwrap() } else { fs::remove_file(name).unwrap() }
    }
}

fn edit(path: &Path, work: impl FnOnce(&mut Value)) {
    let mut value = if path.exists() { json(path) } else { json!({}) };
    work(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

/// Sets what a JSON pointer leads to, or removes it.
fn put(value: &mut Value, pointer: &str, new: Option<&Value>) {
    let (way, last) = pointer.rsplit_once('/').unwrap();
    let mut place = value;
    for part in way.split('/').skip(1) {
        place = match place {
            Value::Array(list) => &mut list[part.parse::<usize>().unwrap()],
            other => other.as_object_mut().unwrap().entry(part).or_insert_with(|| json!({})),
        };
    }
    match (place, new) {
        (Value::Array(list), Some(new)) => list[last.parse::<usize>().unwrap()] = new.clone(),
        (place, Some(new)) => drop(place.as_object_mut().unwrap().insert(last.into(), new.clone())),
        (place, None) => drop(place.as_object_mut().unwrap().shift_remove(last)),
    }
}

/// Some tensors of a safetensors file as a file of their own.
fn part(file: &Path, names: &[Value]) -> Vec<u8> {
    let bytes = fs::read(file).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let all: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let (mut header, mut data) = (Map::new(), Vec::new());
    for name in names.iter().map(|name| name.as_str().unwrap()) {
        let [start, end] = serde_json::from_value::<[usize; 2]>(all[name]["data_offsets"].clone()).unwrap();
        let mut tensor = all[name].clone();
        tensor["data_offsets"] = json!([data.len(), data.len() + end - start]);
        data.extend_from_slice(&bytes[8 + length + start..8 + length + end]);
        header.insert(name.into(), tensor);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

#[test]
fn labels() {
    check("labels");
}

#[test]
fn special_tokens() {
    check("special_tokens");
}

#[test]
fn numbers() {
    check("numbers");
}

#[test]
fn indexes() {
    check("indexes");
}

#[test]
fn rotary() {
    check("rotary");
}

#[test]
fn sentences() {
    check("sentences");
}

//! Every golden: the answer of this library against the one that the Python pipeline gave.
//!
//! `FORMERS_GOLDEN=bert/plain` runs only goldens whose path contains that.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use crate::goldens;

use std::path::Path;

use formers::{Options, pipelines::AnyPipeline};
use goldens::{checkpoints, json, media, same, shortened};
use serde_json::Value;

#[test]
fn answers_are_those_of_python() {
    let mut failures = Vec::new();
    let mut count = 0;
    let chosen = std::env::var("FORMERS_GOLDEN").unwrap_or_default();
    for folder in checkpoints().into_iter().filter(|path| path.to_string_lossy().contains(&chosen)) {
        let golden = json(&folder.join("golden.json"));
        let mut loaded: Vec<(String, Box<dyn AnyPipeline>)> = Vec::new();
        for case in golden["cases"].as_array().unwrap() {
            count += 1;
            if let Err(problem) = check(&folder, case, &mut loaded) {
                let name = formers_testing::name(&folder);
                let note = case["note"].as_str().unwrap_or_default();
                let inputs: String = case["inputs"].to_string().chars().take(120).collect();
                failures.push(format!("{name}: {} {note}\n  inputs {inputs} parameters {}\n  {problem}", case["task"], case["parameters"]));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases differ:\n{}", failures.len(), failures.join("\n"));
    println!("{count} cases agree");
}

fn check(folder: &Path, case: &Value, loaded: &mut Vec<(String, Box<dyn AnyPipeline>)>) -> Result<(), String> {
    let task = case["task"].as_str().ok_or("the case names no task")?;
    if !loaded.iter().any(|(name, _)| name == task) {
        let pipeline = formers::pipeline(task, Options::new(folder.to_string_lossy())).map_err(|e| format!("loading: {e}"))?;
        loaded.push((task.to_string(), pipeline));
    }
    let pipeline = &loaded.iter().find(|(name, _)| name == task).ok_or("not loaded")?.1;
    let answer = pipeline.call(&media(folder, &case["inputs"]), &case["parameters"]);
    match (answer, case.get("error")) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(answer), Some(_)) => Err(format!("Python fails, this gives {}", shortened(&answer))),
        (Err(error), None) => Err(format!("error: {error}")),
        (Ok(answer), None) => same(&media(folder, &case["answer"]), &answer, "answer"),
    }
}

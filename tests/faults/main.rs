//! Bad input: one clear error for each, of the right kind, that names its place; no panic, no hang, nothing half-written.

#![allow(clippy::unwrap_used, clippy::panic)]

mod checkpoints;
mod disk;
mod generation;
mod onnx;
mod properties;
mod requests;
mod texts;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use formers::{ErrorKind, Options, Result, pipelines::AnyPipeline};
use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every text task with a checkpoint for it.
const TASKS: &[(&str, &str)] = &[
    ("feature-extraction", "bert/sentence_mean"),
    ("fill-mask", "bert/masked_lm"),
    ("question-answering", "bert/question_answering"),
    ("sentence-similarity", "bert/sentence_mean"),
    ("text-classification", "bert/sequence_classification"),
    ("text-ranking", "bert/cross_encoder"),
    ("token-classification", "bert/token_classification"),
    ("zero-shot-classification", "bert/zero_shot"),
];

fn golden(name: &str) -> PathBuf {
    formers_testing::golden(name)
}

/// A copy of a golden checkpoint to spoil.
fn copy(name: &str) -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                fs::create_dir(&target).unwrap();
                all(&entry.path(), &target);
            } else {
                fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    all(&golden(name), folder.path());
    folder
}

fn options(folder: &Path) -> Options {
    Options::new(folder.to_str().unwrap())
}

fn load(task: &str, folder: &Path) -> Result<Box<dyn AnyPipeline>> {
    formers::pipeline(task, options(folder))
}

/// Runs work in a thread of its own, where it may neither panic nor take forever.
fn watched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::result::Result<T, String> {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || done.send(catch_unwind(AssertUnwindSafe(work))));
    match wait.recv_timeout(PATIENCE) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err("it panics".into()),
        Err(_) => Err(format!("no answer after {PATIENCE:?}")),
    }
}

/// What is wrong with an outcome that should be an error of a kind, in one line that says all of that.
fn judge<T>(outcome: std::result::Result<Result<T>, String>, kind: ErrorKind, says: &[&str]) -> std::result::Result<(), String> {
    let error = match outcome? {
        Ok(_) => return Err("no error".into()),
        Err(error) => error,
    };
    let text = error.to_string();
    match says.iter().find(|part| !text.contains(*part)) {
        _ if error.kind() != kind => Err(format!("{:?}, not {kind:?}: {text}", error.kind())),
        Some(part) => Err(format!("lacks {part:?}: {text}")),
        None if text.contains('\n') => Err(format!("more than one line: {text}")),
        None => Ok(()),
    }
}

/// Fails with all that went wrong at once.
fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// Changes a JSON file.
fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut json);
    fs::write(file, serde_json::to_vec(&json).unwrap()).unwrap();
}

//! A folder as an input: its files, those within it but not within others, in the order of their names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use formers::pipelines::{Medium, Task};

use crate::cli::failure::asked;

/// Files that hold inputs as JSON, for tasks with texts.
const JSON: &[&str] = &["json", "jsonl"];

/// Whether an INPUT names a folder. A text does so only where it is written as a path.
pub(super) fn is_folder(task: &Task, input: &str) -> bool {
    let is_path = task.medium != Medium::Text || input.contains(['/', std::path::MAIN_SEPARATOR]);
    is_path && Path::new(input).is_dir()
}

fn is_model(folder: &Path) -> bool {
    let has = |file: &&str| folder.join(file).is_file();
    has(&"config.json") && ["model.safetensors", "tokenizer.json", "tokenizer_config.json", "pytorch_model.bin"].iter().any(has)
}

/// What to do instead, where an INPUT that is a text was likely meant as a path: of a file that is there, or of a folder.
pub(super) fn mistaken(task: &Task, input: &str) -> Option<&'static str> {
    if task.medium != Medium::Text || input.is_empty() || input.contains('\n') || is_folder(task, input) {
        return None;
    }
    let path = Path::new(input);
    let is_path = input.contains(['/', std::path::MAIN_SEPARATOR]) || path.extension().is_some();
    let is_one_word = !input.contains(char::is_whitespace);
    match () {
        () if is_model(path) => Some("a model is named by --model"),
        () if path.is_dir() => Some("a folder is written with a / at its end"),
        () if (is_path && path.is_file()) || (is_one_word && input.len() > 1 && input.ends_with('/')) => {
            Some("- reads texts from standard input, a folder/ stands for its files")
        }
        () => None,
    }
}

/// Whether an input is the name of a file that holds it, there or not.
pub(super) fn is_file(task: &Task, input: &str) -> bool {
    /// No system has longer paths.
    const LONGEST: usize = 4096;
    let is_path = task.medium != Medium::Text && input.len() <= LONGEST && !input.contains("://") && !input.starts_with("data:");
    is_path && (has_ending(Path::new(input), task.medium.extensions()) || Path::new(input).is_file())
}

/// The files of a folder that a task reads; hidden ones are left out.
pub(super) fn files(task: &Task, folder: &str) -> Result<Vec<PathBuf>> {
    let json = if task.medium == Medium::Text { JSON } else { &[] };
    let endings: Vec<&str> = task.medium.extensions().iter().chain(json).copied().collect();
    if is_model(Path::new(folder)) {
        return Err(asked(format!("{folder}: is the folder of a model, which is named by --model")));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.to_owned())? {
        let path = entry.with_context(|| folder.to_owned())?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && has_ending(&path, &endings) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(asked(format!("{folder}: the folder has no files for {}: {}", task.id, endings.join(", "))));
    }
    files.sort();
    Ok(files)
}

/// Whether a file ends in one of these, in capitals or not.
pub(super) fn has_ending(file: &Path, endings: &[&str]) -> bool {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

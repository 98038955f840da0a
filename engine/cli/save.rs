//! `--save`: the pictures and sounds of an answer as files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::failure::asked;

/// Fields of answers that hold a file in base64: pictures, and sounds beside their `sampling_rate`.
const FIELDS: &[&str] = &["mask", "depth", "audio"];

/// Writes what the answer holds: one file under the given name, or several with a number in it.
pub(super) fn media(answer: &Value, file: &Path, task: &str) -> Result<()> {
    let mut found = Vec::new();
    collect(answer, &mut found);
    if found.is_empty() {
        return Err(asked(format!("--save {}: the answer of {task} has no picture and no sound", file.display())));
    }
    let several = found.len() > 1;
    for (index, data) in found.into_iter().enumerate() {
        let path = if several { numbered(file, index + 1) } else { file.to_owned() };
        let bytes = STANDARD.decode(data).with_context(|| path.display().to_string())?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Takes out what has been written, which says nothing to people.
pub(super) fn remove_media(answer: &mut Value) {
    match answer {
        Value::Array(list) => list.iter_mut().for_each(remove_media),
        Value::Object(fields) => {
            fields.retain(|name, value| !(FIELDS.contains(&name.as_str()) && value.is_string()));
            fields.values_mut().for_each(remove_media);
        }
        _ => {}
    }
}

fn collect<'a>(answer: &'a Value, found: &mut Vec<&'a str>) {
    match answer {
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(data) if FIELDS.contains(&name.as_str()) => found.push(data),
                    other => collect(other, found),
                }
            }
        }
        _ => {}
    }
}

/// `mask.png` becomes `mask-2.png`.
fn numbered(file: &Path, number: usize) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}-{number}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pictures_and_sounds_become_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.png");
        let mut answer = json!([{"label": "cat", "mask": "YQ=="}, {"label": "dog", "mask": "Yg=="}, {"label": "sky", "mask": null}]);
        media(&answer, &file, "image-segmentation").unwrap();
        assert_eq!(fs::read(folder.path().join("out-1.png")).unwrap(), b"a");
        assert_eq!(fs::read(folder.path().join("out-2.png")).unwrap(), b"b");
        assert!(!file.exists());

        media(&json!({"audio": "Yw==", "sampling_rate": 16000}), &file, "text-to-audio").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"c");

        remove_media(&mut answer);
        assert_eq!(answer, json!([{"label": "cat"}, {"label": "dog"}, {"label": "sky", "mask": null}]));
        assert!(media(&answer, &file, "ner").unwrap_err().to_string().contains("the answer of ner has no picture"));
    }
}

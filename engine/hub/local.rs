//! The files of an ordinary folder.

use std::{collections::BTreeSet, collections::VecDeque, fs, path::Path, path::PathBuf};

/// Deeper folders hold no part of a checkpoint.
const MAX_DEPTH: usize = 8;
/// A folder with more files is not only a checkpoint; the ones nearest to its top are listed.
const MAX_FILES: usize = 50_000;

/// The files below a folder, as sorted paths with `/`. Hidden folders (`.git`, `.cache`) are left out.
pub(super) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([canonical(root)]);
    let mut folders = VecDeque::from([(root.to_owned(), String::new(), 0)]);
    while let Some((folder, prefix, depth)) = folders.pop_front() {
        // What cannot be read is not listed; opening it says why.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(kind) = fs::metadata(entry.path()) else { continue };
            let path = format!("{prefix}{name}");
            if kind.is_dir() {
                // A link back up would go round in circles.
                let fresh = depth < MAX_DEPTH && !name.starts_with('.') && seen.insert(canonical(&entry.path()));
                if fresh {
                    folders.push_back((entry.path(), format!("{path}/"), depth + 1));
                }
            } else if kind.is_file() && super::name::is_file(&path) {
                found.push(path);
            }
        }
        if found.len() >= MAX_FILES {
            tracing::warn!("{}: more than {MAX_FILES} files; the deeper ones are left out", root.display());
            break;
        }
    }
    found.sort();
    found
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_without_hidden_folders_and_circles() {
        let root = tempfile::tempdir().unwrap();
        for file in ["config.json", "onnx/model.onnx", "1_Pooling/config.json", ".git/HEAD", "a/b/c/d/e/f/g/h/i/deep"] {
            let path = super::super::layout::below(root.path().to_owned(), file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), root.path().join("onnx/up")).unwrap();
        assert_eq!(files(root.path()), ["1_Pooling/config.json", "config.json", "onnx/model.onnx"]);
        assert!(files(&root.path().join("missing")).is_empty());
    }
}

//! Where things lie in the cache that Python shares: pure paths.

use std::path::{Path, PathBuf};

/// The folder of one model repository in the cache.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) cache: PathBuf,
    pub(super) folder: PathBuf,
}

impl Layout {
    pub(super) fn new(cache: &Path, repo: &str) -> Self {
        Self { cache: cache.to_owned(), folder: cache.join(folder_name(repo)) }
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The place of a file in a snapshot: a link to its blob, or the file itself where links do not work.
    pub(super) fn pointer(&self, commit: &str, file: &str) -> PathBuf {
        below(self.snapshot(commit), file)
    }

    pub(super) fn no_exist(&self, commit: &str, file: &str) -> PathBuf {
        below(self.folder.join(".no_exist").join(commit), file)
    }

    pub(super) fn reference(&self, revision: &str) -> PathBuf {
        below(self.folder.join("refs"), revision)
    }

    pub(super) fn listing(&self, commit: &str) -> PathBuf {
        self.folder.join("trees").join(format!("{commit}.json"))
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.cache.join(".locks").join(self.folder.file_name().unwrap_or_default())
    }
}

/// `models--owner--name`.
fn folder_name(repo: &str) -> String {
    format!("models--{}", repo.replace('/', "--"))
}

/// The repository that a folder of the cache belongs to, when it holds a model.
pub(super) fn repo_of_folder(folder: &str) -> Option<String> {
    let id = folder.strip_prefix("models--")?.replace("--", "/");
    super::name::is_repo_id(&id).then_some(id)
}

/// A path of a repository below a folder, with the separators of this system.
pub(super) fn below(folder: PathBuf, path: &str) -> PathBuf {
    path.split('/').fold(folder, |folder, part| folder.join(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_names_them() {
        let layout = Layout::new(Path::new("/c"), "a/b-c");
        assert_eq!(layout.folder, Path::new("/c/models--a--b-c"));
        assert_eq!(layout.pointer("f00", "onnx/m.onnx"), Path::new("/c/models--a--b-c/snapshots/f00/onnx/m.onnx"));
        assert_eq!(layout.reference("refs/pr/1"), Path::new("/c/models--a--b-c/refs/refs/pr/1"));
        assert_eq!(layout.locks(), Path::new("/c/.locks/models--a--b-c"));
        assert_eq!(repo_of_folder("models--a--b-c").as_deref(), Some("a/b-c"));
        assert_eq!(repo_of_folder("models--gpt2").as_deref(), Some("gpt2"));
        assert_eq!(repo_of_folder("datasets--a--b"), None);
    }
}

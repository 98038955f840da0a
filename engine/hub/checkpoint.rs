//! The files of one model at one revision, wherever they are.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{Options, json, layout, local, name, repository::Repository};
use crate::{Error, ErrorKind, Result};

/// Files read whole into memory: configurations, tokenizers, chat templates. The largest real ones are below 50 MB.
const MAX_READ: u64 = 256 << 20;

/// A model's files: an ordinary folder, or a repository of the Hub, or a folder in one, of which only what is asked for is downloaded.
///
/// Paths are those in the repository, or in its folder, with `/` on every system.
pub struct Checkpoint {
    name: String,
    source: Source,
    /// What the paths of the repository start with: nothing, or a folder's own path and a `/`.
    within: String,
    files: OnceLock<Vec<String>>,
}

enum Source {
    Folder(PathBuf),
    Repository(Box<Repository>),
}

impl Checkpoint {
    /// Opens a model: an existing folder, else a name on the Hub (`owner/name`), which a folder of the repository may follow
    /// (`owner/name/cpu/int4`), as repositories with several exports have them.
    ///
    /// A branch or tag is looked up on the Hub; when that cannot be reached, what the cache last knew counts. A full commit, and
    /// offline mode, need no network.
    ///
    /// # Errors
    /// When the model is neither a folder nor a name, when the Hub does not have it or its folder or does not open it, and when it is in
    /// no cache while the network cannot be used.
    pub fn open(model: &str, options: &Options) -> Result<Self> {
        let folder = Path::new(model);
        let (source, within) = if folder.is_dir() {
            (Source::Folder(folder.to_owned()), String::new())
        } else if folder.is_file() {
            return Err(of_file(model));
        } else if let Some((repo, within)) = name::in_repo(model) {
            (Source::Repository(Box::new(Repository::open(repo, options)?)), within)
        } else {
            let message = format!("{model:?} is neither an existing folder nor a model on the Hub, which is named owner/name");
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let this = Self { name: model.to_owned(), source, within, files: OnceLock::new() };
        if !this.within.is_empty() && this.files().is_empty() {
            let message = format!("{model}: there is no folder {} in this repository", this.within.trim_end_matches('/'));
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(this)
    }

    /// The path in the repository of a file.
    fn inside(&self, file: &str) -> String {
        format!("{}{file}", self.within)
    }

    /// The name or folder it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The commit, for a repository of the Hub.
    pub fn revision(&self) -> Option<&str> {
        match &self.source {
            Source::Folder(_) => None,
            Source::Repository(repository) => Some(repository.commit()),
        }
    }

    /// Whether it is an ordinary folder.
    pub fn is_local(&self) -> bool {
        matches!(self.source, Source::Folder(_))
    }

    /// Every file, sorted. When the Hub cannot be asked, those in the cache.
    pub fn files(&self) -> &[String] {
        self.files.get_or_init(|| match &self.source {
            Source::Folder(folder) => local::files(folder),
            Source::Repository(repository) => {
                repository.files().into_iter().filter_map(|file| file.strip_prefix(&self.within).map(str::to_owned)).collect()
            }
        })
    }

    /// Whether there is such a file.
    pub fn has(&self, file: &str) -> bool {
        name::is_file(file)
            && match &self.source {
                Source::Folder(folder) => layout::below(folder.clone(), file).is_file(),
                Source::Repository(repository) => repository.has(&self.inside(file)),
            }
    }

    /// Where a file is on this machine, if it is here already.
    pub fn local(&self, file: &str) -> Option<PathBuf> {
        if !name::is_file(file) {
            return None;
        }
        match &self.source {
            Source::Folder(folder) => Some(layout::below(folder.clone(), file)).filter(|path| path.is_file()),
            Source::Repository(repository) => repository.cached(&self.inside(file)),
        }
    }

    /// The size of a file in bytes, also of one that is not downloaded yet; `None` where nothing says.
    pub fn size(&self, file: &str) -> Option<u64> {
        match (self.local(file), &self.source) {
            (Some(path), _) => fs::metadata(path).ok().map(|metadata| metadata.len()),
            (None, Source::Folder(_)) => None,
            (None, Source::Repository(repository)) => repository.listed_size(&self.inside(file)),
        }
    }

    /// Where a file is on this machine, after downloading it if need be.
    ///
    /// # Errors
    /// When there is no such file or it cannot be downloaded; the message names the model and the file.
    pub fn path(&self, file: &str) -> Result<PathBuf> {
        let mut paths = self.fetch(&[file])?;
        paths.pop().ok_or_else(|| self.missing(file))
    }

    /// As [`path`](Self::path), for a file that need not be there.
    ///
    /// # Errors
    /// When the file is there and cannot be downloaded.
    pub fn optional(&self, file: &str) -> Result<Option<PathBuf>> {
        if self.has(file) { self.path(file).map(Some) } else { Ok(None) }
    }

    /// As [`path`](Self::path), for several files, some at a time.
    ///
    /// # Errors
    /// The first file that fails; files that were complete by then stay in the cache.
    pub fn fetch(&self, files: &[&str]) -> Result<Vec<PathBuf>> {
        if let Some(bad) = files.iter().find(|file| !name::is_file(file)) {
            return Err(Error::new(ErrorKind::Request, format!("{}: {bad:?} is not a path inside a checkpoint", self.name)));
        }
        match &self.source {
            Source::Folder(folder) => files
                .iter()
                .map(|file| Some(layout::below(folder.clone(), file)).filter(|path| path.is_file()).ok_or_else(|| self.missing(file)))
                .collect(),
            Source::Repository(repository) => {
                let files: Vec<String> = files.iter().map(|file| self.inside(file)).collect();
                repository.fetch(&files.iter().map(String::as_str).collect::<Vec<_>>())
            }
        }
    }

    /// The content of a small file, if it is there.
    ///
    /// # Errors
    /// When it cannot be downloaded or read, or is too large to be what it should be.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.optional(file)? else { return Ok(None) };
        let at = |error| Error::io(&path, error).at(&self.name);
        let mut bytes = Vec::new();
        fs::File::open(&path).and_then(|f| f.take(MAX_READ + 1).read_to_end(&mut bytes)).map_err(at)?;
        if bytes.len() as u64 > MAX_READ {
            let message = format!("{}: {file}: larger than {} MB, which such a file never is", self.name, MAX_READ >> 20);
            return Err(Error::new(ErrorKind::Checkpoint, message));
        }
        Ok(Some(bytes))
    }

    /// A JSON file, if it is there.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it is not JSON: the message has the line and the column.
    pub fn json(&self, file: &str) -> Result<Option<serde_json::Value>> {
        let Some(bytes) = self.read(file)? else { return Ok(None) };
        json::parse(&bytes, &format!("{}: {file}", self.name)).map(Some)
    }

    fn missing(&self, file: &str) -> Error {
        Error::new(ErrorKind::NotFound, format!("{}: there is no file {file}", self.name))
    }
}

/// That a file is no checkpoint.
fn of_file(model: &str) -> Error {
    let is_gguf = Path::new(model).extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    match is_gguf {
        true => Error::unsupported(format!(
            "{model}: GGUF files are not read; name the checkpoint that it was made from, a folder or a model on the Hub"
        )),
        false => Error::new(ErrorKind::NotFound, format!("{model}: is a file; name the folder of the checkpoint")),
    }
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoint").field("name", &self.name).field("revision", &self.revision()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = layout::below(root.path().to_owned(), file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_folder() {
        let root = folder(&[("config.json", r#"{"model_type": "bert"}"#), ("onnx/model.onnx", "x"), ("bad.json", "{\n")]);
        let checkpoint = Checkpoint::open(root.path().to_str().unwrap(), &Options::default()).unwrap();
        assert!(checkpoint.is_local() && checkpoint.revision().is_none());
        assert_eq!(checkpoint.files(), ["bad.json", "config.json", "onnx/model.onnx"]);
        assert!(checkpoint.has("onnx/model.onnx") && !checkpoint.has("onnx") && !checkpoint.has("../config.json"));
        assert_eq!(checkpoint.json("config.json").unwrap().unwrap()["model_type"], "bert");
        assert_eq!(checkpoint.json("missing.json").unwrap(), None);
        assert_eq!(checkpoint.optional("tokenizer.json").unwrap(), None);

        let error = checkpoint.path("model.safetensors").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().ends_with("there is no file model.safetensors"), "{error}");
        let error = checkpoint.json("bad.json").unwrap_err();
        assert!(error.to_string().contains("bad.json: line 2 column"), "{error}");
        assert_eq!(checkpoint.path("../../etc/passwd").unwrap_err().kind(), ErrorKind::Request);
    }

    #[test]
    fn neither_folder_nor_name() {
        let root = folder(&[("model.onnx", "x")]);
        let file = root.path().join("model.onnx");
        for model in ["./no-such-folder", "/no/such/folder", "a/b/../c", "a/b//c", "", "a..b", "a\\b", "~/x"] {
            let error = Checkpoint::open(model, &Options::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains("neither an existing folder nor a model on the Hub"), "{error}");
        }
        assert!(Checkpoint::open(file.to_str().unwrap(), &Options::default()).unwrap_err().to_string().contains("is a file"));
        let file = root.path().join("model-Q4_0.GGUF");
        fs::write(&file, "GGUF").unwrap();
        let error = Checkpoint::open(file.to_str().unwrap(), &Options::default()).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("GGUF files are not read"), "{error}");
    }
}

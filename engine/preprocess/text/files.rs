//! Where the files of a checkpoint come from.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::PathBuf;

use crate::{Error, Result};

/// The files of a checkpoint, by their names inside it.
pub trait Files {
    /// The bytes of a file; `None` when the checkpoint has no such file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// The names inside the checkpoint of the files directly in one of its folders, sorted; none when there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<String>>;
}

/// A folder on this computer.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Files for Folder {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.0.join(folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&path, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&path, error))?;
            if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
                names.push(format!("{folder}/{name}"));
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Files for crate::hub::Checkpoint {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        crate::hub::Checkpoint::read(self, name)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let inside =
            |file: &&String| file.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| !rest.contains('/'));
        let mut names: Vec<String> = self.files().iter().filter(inside).cloned().collect();
        names.sort();
        Ok(names)
    }
}

//! Weights that are read when a session is opened, so that their files may change while it lives.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use formers_converters::{content::has_room, reader};
use ort::session::builder::SessionBuilder;

use super::raw;
use crate::{Error, ErrorKind, Result};

/// The contents of files, which ONNX Runtime refers to for as long as the session lives.
pub(super) type Weights = Vec<Arc<[u8]>>;

/// Gives ONNX Runtime what is in every file that a model names, so that it opens none of them. Their names are relative to `folder`, and they lie
/// in it or, by a link as in the Hub's cache, in `real`.
pub(super) fn read(mut builder: SessionBuilder, model: &[u8], folder: &Path, real: &Path) -> Result<(SessionBuilder, Weights)> {
    let mut weights = Weights::new();
    for location in reader::external_files(model)? {
        let contents = contents(&place(&location, folder, real)?)?;
        builder =
            builder.with_external_initializer_file_in_memory(&location, contents.clone()).map_err(|e| raw::runtime_error(e.into()))?;
        weights.push(contents);
    }
    Ok((builder, weights))
}

/// Where a file is that a model names. ONNX Runtime refuses those outside of its folder, and so is it here.
fn place(location: &str, folder: &Path, real: &Path) -> Result<PathBuf> {
    let file = folder.join(location);
    let outside =
        || Error::new(ErrorKind::Checkpoint, format!("{location}: weights that lie outside of the model's folder {}", folder.display()));
    if !Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let found = file.canonicalize().map_err(|error| Error::io(&file, error))?;
    let within = |folder: &Path| folder.canonicalize().is_ok_and(|folder| found.starts_with(folder));
    if within(folder) || within(real) { Ok(found) } else { Err(outside()) }
}

fn contents(path: &Path) -> Result<Arc<[u8]>> {
    let failed = |error| Error::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let size = usize::try_from(about.len()).ok().filter(|_| about.is_file());
    // A size that no memory can hold is an error, not an abort.
    let size = size.filter(|_| has_room(about.len()));
    let size = size
        .ok_or_else(|| Error::new(ErrorKind::Runtime, format!("{}: no memory to read its {} bytes into", path.display(), about.len())))?;
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
    // Nobody else has it yet.
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        file.read_exact(bytes).map_err(failed)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_stay_within_their_folders() {
        let around = tempfile::tempdir().unwrap();
        let (folder, blobs) = (around.path().join("snapshot"), around.path().join("blobs"));
        for made in [&folder, &blobs] {
            std::fs::create_dir(made).unwrap();
        }
        for file in ["snapshot/a", "blobs/b", "c"] {
            std::fs::write(around.path().join(file), file).unwrap();
        }
        let place = |location: &str| place(location, &folder, &blobs);
        assert_eq!(&contents(&place("a").unwrap()).unwrap()[..], b"snapshot/a");
        assert!(place("./a").is_ok());
        for outside in ["../c", "../snapshot/a", "/etc/passwd", "x/../../c"] {
            assert_eq!(place(outside).unwrap_err().kind(), ErrorKind::Checkpoint, "{outside}");
        }
        assert_eq!(place("none").unwrap_err().kind(), ErrorKind::Io);
        assert!(contents(&folder).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../blobs/b", folder.join("link")).unwrap();
            std::os::unix::fs::symlink("../c", folder.join("out")).unwrap();
            assert_eq!(&contents(&place("link").unwrap()).unwrap()[..], b"blobs/b");
            assert!(place("out").is_err());
        }
    }
}

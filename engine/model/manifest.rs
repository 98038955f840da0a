//! What a converted graph consists of, written beside it when all else is there.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) const FILE: &str = "formers.json";
/// A longer manifest is none.
const MOST_BYTES: u64 = 1 << 20;
/// Files up to this size are compared whole, of larger ones so many stretches of so many bytes, the first and the last among them: enough to tell
/// a file that was cut, or never came to the disk, in a few milliseconds.
const WHOLE: u64 = 1 << 20;
const STRETCHES: u64 = 16;
const STRETCH: u64 = 4096;

/// The files of a converted graph, and what they were made from.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of this crate that wrote it.
    pub(super) version: String,
    pub(super) model: String,
    pub(super) dtype: String,
    pub(super) part: String,
    pub(super) sources: Vec<SourceFile>,
    pub(super) files: Vec<KeptFile>,
}

/// A file of weights that went into it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptFile {
    name: String,
    bytes: u64,
    /// SHA-256 of what is compared.
    digest: String,
}

impl Manifest {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        open(&folder.join(FILE))?.take(MOST_BYTES).read_to_end(&mut text)?;
        serde_json::from_slice(&text).map_err(io::Error::from)
    }

    /// Describes the files that are there, and writes that beside them.
    pub(super) fn write(&mut self, folder: &Path) -> io::Result<()> {
        env!("CARGO_PKG_VERSION").clone_into(&mut self.version);
        self.files.clear();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != FILE {
                let (bytes, digest) = digest(&entry.path())?;
                self.files.push(KeptFile { name, bytes, digest });
            }
        }
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut file = File::create(folder.join(FILE))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()
    }
}

/// Whether a folder has the files that its manifest lists, as they were: `Err(None)` where nothing is there, else what is wrong.
pub(super) fn check(folder: &Path) -> Result<(), Option<String>> {
    if fs::symlink_metadata(folder).is_err() {
        return Err(None);
    }
    let manifest = Manifest::read(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Some(format!("{FILE} is missing, as an older version leaves it")),
        _ => Some(format!("{FILE}: {error}")),
    })?;
    for file in &manifest.files {
        let problem = match digest(&folder.join(&file.name)) {
            Err(error) => error.to_string(),
            Ok((bytes, _)) if bytes != file.bytes => format!("{bytes} bytes in place of {}", file.bytes),
            Ok((_, digest)) if digest != file.digest => "it is damaged".to_owned(),
            Ok(_) => continue,
        };
        return Err(Some(format!("{}: {problem}", file.name)));
    }
    if manifest.files.is_empty() { Err(Some(format!("{FILE} lists no files"))) } else { Ok(()) }
}

/// A file that is one: opening what is none (a pipe) may wait for ever.
fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")) }
}

/// The size of a file, and a hash of some of it.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = open(path)?;
    let bytes = file.metadata()?.len();
    let mut hash = Sha256::new();
    if bytes <= WHOLE {
        io::copy(&mut file.take(WHOLE), &mut hash)?;
    } else {
        let (mut stretch, last) = ([0; STRETCH as usize], bytes - STRETCH);
        for i in 0..STRETCHES {
            file.seek(SeekFrom::Start(last / (STRETCHES - 1) * i + last % (STRETCHES - 1) * i / (STRETCHES - 1)))?;
            file.read_exact(&mut stretch)?;
            hash.update(stretch);
        }
    }
    Ok((bytes, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_damaged_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let large: Vec<u8> = (0..3 << 20).map(|i: u32| (i / 7) as u8).collect();
        let restore = || {
            fs::write(folder.join("model.onnx"), "a graph").unwrap();
            fs::write(folder.join("model.onnx_data"), &large).unwrap();
            fs::write(folder.join(".lock"), "").unwrap();
            Manifest { model: "ada/tiny".into(), ..Manifest::default() }.write(folder).unwrap();
            check(folder).unwrap();
        };
        assert_eq!(check(&folder.join("none")), Err(None));
        let file = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
        let zeros = |from: usize| [&large[..from], &vec![0; large.len() - from]].concat();
        let cases: &[(&str, &dyn Fn())] = &[
            ("formers.json is missing", &|| fs::remove_file(folder.join(FILE)).unwrap()),
            ("formers.json: ", &|| file(FILE, b"{")),
            ("formers.json lists no files", &|| file(FILE, br#"{"version":"","model":"","dtype":"","part":"","sources":[],"files":[]}"#)),
            ("model.onnx: 6 bytes in place of 7", &|| file("model.onnx", b"a grap")),
            ("model.onnx: it is damaged", &|| file("model.onnx", b"a Graph")),
            ("model.onnx: ", &|| fs::remove_file(folder.join("model.onnx")).unwrap()),
            ("model.onnx: it is no file", &|| {
                fs::remove_file(folder.join("model.onnx")).unwrap();
                fs::create_dir(folder.join("model.onnx")).unwrap();
            }),
            ("model.onnx_data: 1000 bytes in place of 3145728", &|| file("model.onnx_data", &large[..1000])),
            ("model.onnx_data: 0 bytes", &|| file("model.onnx_data", b"")),
            // As a power cut leaves a file whose last blocks never came to the disk.
            ("model.onnx_data: it is damaged", &|| file("model.onnx_data", &zeros(2 << 20))),
            ("model.onnx_data: it is damaged", &|| file("model.onnx_data", &zeros(large.len() - 1))),
            ("model.onnx_data: it is damaged", &|| file("model.onnx_data", &[&[9][..], &large[1..]].concat())),
        ];
        for (expected, damage) in cases {
            let _ = fs::remove_dir(folder.join("model.onnx"));
            restore();
            damage();
            let problem = check(folder).unwrap_err().unwrap();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}

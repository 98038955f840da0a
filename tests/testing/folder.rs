//! The checkpoint of a folder with `weights.json`.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::Weights;

/// `tests/goldens`.
pub fn goldens() -> PathBuf {
    workspace().join("tests/goldens")
}

/// The checkpoint of a folder of `tests/goldens`, such as `vit/image_classification`: [`checkpoint`].
pub fn golden(name: &str) -> PathBuf {
    checkpoint(&goldens().join(name))
}

/// What a folder of `tests/goldens` is called within, or the checkpoint that was made of it: `vit/image_classification`.
pub fn name(folder: &Path) -> String {
    let made = || folder.strip_prefix(target().join("goldens")).ok().map(|path| path.components().skip(1).collect::<PathBuf>());
    let name = folder.strip_prefix(goldens()).map(Path::to_owned).ok().or_else(made);
    name.unwrap_or_else(|| folder.to_owned()).to_string_lossy().into_owned()
}

/// The folder with everything that a model needs: this one, where it has no `weights.json`, or a copy of its files and `model.safetensors`
/// beside them, made at the first call.
///
/// The copy lies in `target/goldens`, in a folder named after the content of the files, so that it is made again when they change, and
/// ends in the same names as this folder. Processes may make the same one at once.
///
/// # Panics
///
/// Where it cannot be made: `weights.json` has an error, what is drawn has not the CRC-32 that it says, or the disk is full.
pub fn checkpoint(folder: &Path) -> PathBuf {
    if !folder.join("weights.json").is_file() {
        return folder.to_owned();
    }
    match made(folder) {
        Ok(made) => made,
        #[allow(clippy::panic)] // It is a test that calls, and the reason why it fails.
        Err(error) => panic!("{}: {error}", folder.display()),
    }
}

/// Makes the checkpoint of a folder with `weights.json` as a new folder.
///
/// # Errors
///
/// What [`checkpoint`] panics with; and that there is such a folder already. Then nothing is left behind.
pub fn make(folder: &Path, out: &Path) -> io::Result<()> {
    if out.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", out.display())));
    }
    let files = files(folder)?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new().prefix(".drawn-").tempdir_in(parent)?;
    let part = scratch.path().join("part");
    fs::create_dir(&part)?;
    for (name, from) in &files {
        let to = part.join(name);
        fs::create_dir_all(to.parent().unwrap_or(&part))?;
        fs::copy(from, to)?;
    }
    Weights::read(&folder.join("weights.json"))?.write(&part.join("model.safetensors"))?;
    fs::rename(part, out)
}

fn made(folder: &Path) -> io::Result<PathBuf> {
    let goldens = goldens();
    let name = folder.strip_prefix(&goldens).ok().or(folder.file_name().map(Path::new)).unwrap_or(folder);
    let out = target().join("goldens").join(format!("{:016x}", digest(folder)?)).join(name);
    if !out.is_dir() {
        match make(folder, &out) {
            // Another process or thread was faster, and what it made is complete.
            Err(_) if out.is_dir() => {}
            done => done?,
        }
    }
    Ok(out)
}

/// The files of the checkpoint beside its weights: their names, with folders, and where they lie.
fn files(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(within) = open.pop() {
        for entry in fs::read_dir(folder.join(&within))? {
            let entry = entry?;
            let name = format!("{within}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                open.push(name + "/");
            } else if name != "weights.json" {
                files.insert(name, entry.path());
            }
        }
    }
    for (name, place) in Weights::read(&folder.join("weights.json"))?.files {
        let path = folder.join(&place);
        if !path.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("weights.json: files: {name}: there is no file {}", path.display()),
            ));
        }
        files.insert(name, path);
    }
    Ok(files)
}

/// FNV-1a of the names and contents of all files.
fn digest(folder: &Path) -> io::Result<u64> {
    let weights = ("weights.json".to_owned(), folder.join("weights.json"));
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (name, path) in files(folder)?.into_iter().chain([weights]) {
        let content = fs::read(path)?;
        let length = (content.len() as u64).to_le_bytes();
        for byte in name.bytes().chain([0]).chain(length).chain(content) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(hash)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("")).to_owned()
}

/// The build folder that the running program lies in, which Cargo marks, or the checkout's.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| workspace().join("target"), Path::to_owned)
}

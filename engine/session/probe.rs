//! Finding ONNX Runtime's shared library, and looking at it before it is used.
//!
//! A library named outright (by the application, or in `ORT_DYLIB_PATH`) is used or it is an error. Else it is looked for
//! beside the program, in the checkout that the program was built in, and where the system keeps libraries.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::library::{Library, Source, Tried};
use crate::{Error, ErrorKind, Result};

const VARIABLE: &str = "ORT_DYLIB_PATH";
const ADVICE: &str = "Run scripts/setup, or set ORT_DYLIB_PATH to an ONNX Runtime library";

/// Looks at a library without using it: whether it is ONNX Runtime, and recent enough.
///
/// # Errors
/// [`ErrorKind::Runtime`], with the path and what was found there.
pub fn probe(path: &Path) -> Result<Library> {
    super::runtime::before_loading();
    look(path)
}

/// As [`probe`], for who has seen to what comes before.
pub(super) fn look(path: &Path) -> Result<Library> {
    probe_at(path, Source::Application).map_err(|tried| named_error(&tried))
}

/// The library to use: `chosen` by the application, else the first of the candidates that is usable.
pub(super) fn find(chosen: Option<&Path>) -> Result<Library> {
    search(chosen).map_err(|tried| match tried.as_slice() {
        [only] if matches!(only.source, Source::Application | Source::Variable) => named_error(only),
        _ => {
            let places: Vec<_> = tried.iter().map(|t| format!("{} ({}: {})", t.path.display(), t.source, t.problem)).collect();
            Error::new(ErrorKind::Runtime, format!("ONNX Runtime was not found. {ADVICE}. Looked at {}", places.join(", ")))
        }
    })
}

/// As [`find`]; where there is none, every place that was looked at.
pub(super) fn search(chosen: Option<&Path>) -> std::result::Result<Library, Vec<Tried>> {
    let mut tried = Vec::new();
    for (path, source) in candidates(chosen) {
        match probe_at(&path, source) {
            Ok(library) => return Ok(library),
            Err(problem) => tried.push(problem),
        }
    }
    Err(tried)
}

fn named_error(tried: &Tried) -> Error {
    let Tried { path, source, problem } = tried;
    Error::new(ErrorKind::Runtime, format!("ONNX Runtime cannot be loaded from {} ({source}): {problem}. {ADVICE}", path.display()))
}

fn candidates(chosen: Option<&Path>) -> Vec<(PathBuf, Source)> {
    let program = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    if let Some(path) = chosen {
        return vec![(resolve(path, program.as_deref()), Source::Application)];
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return vec![(resolve(Path::new(&path), program.as_deref()), Source::Variable)];
    }
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut found = Vec::new();
    if let Some(folder) = &program {
        found.push((folder.join(&name), Source::Program));
        found.push((folder.join("../lib").join(&name), Source::Program));
        // Only a build folder's checkout: no other parent of a program is searched, since others may write there.
        if let Some(target) = folder.ancestors().find(|folder| folder.ends_with("target")) {
            found.push((target.with_file_name(".onnxruntime").join("libonnxruntime.so"), Source::Checkout));
        }
    }
    found.push((PathBuf::from(&name), Source::System));
    if cfg!(target_os = "linux") {
        // The name that distributions give it when no development files are installed.
        found.push((PathBuf::from(format!("{name}.1")), Source::System));
    }
    found
}

/// An absolute path, or a bare name for the system to find.
fn resolve(path: &Path, program: Option<&Path>) -> PathBuf {
    if path.is_absolute() {
        return path.to_path_buf();
    }
    if let Some(beside) = program.map(|folder| folder.join(path)).filter(|beside| beside.exists()) {
        return beside;
    }
    if path.components().count() == 1 && !path.exists() {
        return path.to_path_buf();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn probe_at(path: &Path, source: Source) -> std::result::Result<Library, Tried> {
    match version_of(path) {
        Ok(version) => Ok(Library { path: path.to_path_buf(), version, source }),
        Err(problem) => Err(Tried { path: path.to_path_buf(), source, problem }),
    }
}

/// The version of the library, or what is wrong with it.
fn version_of(path: &Path) -> std::result::Result<String, String> {
    if path.is_absolute() {
        check_file(path)?;
    }
    ask(path)
}

/// Loads the library and asks it. It stays loaded: a library that is in use needs it, and unloading would run code of
/// one that turned out to be something else.
#[allow(unsafe_code)]
fn ask(path: &Path) -> std::result::Result<String, String> {
    type GetApiBase = unsafe extern "system" fn() -> *const ort_sys::OrtApiBase;
    // SAFETY: loading runs the library's initialisers, which is what naming a library asks for.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| format!("it does not load ({})", describe(&error)))?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: the C API declares this symbol with this type.
    let get_base =
        unsafe { library.get::<GetApiBase>(b"OrtGetApiBase\0") }.map_err(|_| "it is a shared library, but not ONNX Runtime".to_owned())?;
    // SAFETY: the base and the version are statics of the library, which stays loaded.
    let (base, version) = unsafe {
        let base = get_base().as_ref().ok_or("it gives no API")?;
        let version = (base.GetVersionString)();
        if version.is_null() {
            return Err("it gives no version".to_owned());
        }
        (base, CStr::from_ptr(version).to_string_lossy().into_owned())
    };
    check_version(&version)?;
    // SAFETY: may be called at any time, and gives null for a version that it does not know.
    if unsafe { (base.GetApi)(ort_sys::ORT_API_VERSION) }.is_null() {
        return Err(format!("it calls itself version {version} but does not offer API 1.{}", ort::MINOR_VERSION));
    }
    Ok(version)
}

fn check_version(version: &str) -> std::result::Result<(), String> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(1), Some(minor)) if minor >= ort::MINOR_VERSION => Ok(()),
        _ => Err(format!("it is version {version}, and 1.{} or newer is needed", ort::MINOR_VERSION)),
    }
}

/// Says what a file is when it cannot be a library, in better words than the system's loader has.
fn check_file(path: &Path) -> std::result::Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("it cannot be read ({error})"),
    })?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start)).map_err(|error| format!("it cannot be read ({error})"))?;
    let format = match start.as_slice() {
        [0x7f, b'E', b'L', b'F', ..] => "linux",
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "macos",
        [b'M', b'Z', ..] => "windows",
        [] => return Err("it is empty".to_owned()),
        _ => return Err("it is not a shared library".to_owned()),
    };
    let own = match std::env::consts::OS {
        "ios" => "macos",
        "macos" | "windows" => std::env::consts::OS,
        _ => "linux",
    };
    if format != own {
        return Err(format!("it is a library for {format}"));
    }
    if format == "linux" && elf_end(&start).is_none_or(|end| end > metadata.len()) {
        return Err(format!("it is cut off ({} bytes)", metadata.len()));
    }
    Ok(())
}

/// Where the last part of an ELF file that is to be loaded ends. The loader of glibc maps such parts without asking
/// whether the file is long enough, and the process dies when it touches them. `None` where the header itself is cut.
fn elf_end(start: &[u8]) -> Option<u64> {
    const LOAD: u64 = 1;
    let wide = *start.get(4)? == 2;
    let little = *start.get(5)? == 1;
    let number = |at: u64, width: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = start.get(at..at.checked_add(width)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    };
    // Where the 64-bit and the 32-bit format keep their fields, and how wide they are.
    let (table, entry_size, count, offset, length, word) = if wide { (32, 54, 56, 8, 32, 8) } else { (28, 42, 44, 4, 16, 4) };
    let (table, entry_size, count) = (number(table, word)?, number(entry_size, 2)?, number(count, 2)?);
    let mut end = 0;
    for index in 0..count {
        let entry = table.checked_add(index * entry_size)?;
        if number(entry, 4)? == LOAD {
            end = end.max(number(entry.checked_add(offset)?, word)?.checked_add(number(entry.checked_add(length)?, word)?)?);
        }
    }
    Some(end)
}

/// The loader's message; `libloading` keeps it in the source of its error.
fn describe(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_odd_versions_are_refused() {
        let enough = format!("1.{}.0", ort::MINOR_VERSION);
        for version in ["1.31.1", "1.99.0-dev", &enough] {
            assert_eq!(check_version(version), Ok(()), "{version}");
        }
        for version in ["1.17.1", "0.99.0", "2.0.0", "1", "", "one.two"] {
            assert!(check_version(version).unwrap_err().contains(&format!("is version {version}, and 1.")), "{version}");
        }
    }

    #[test]
    fn a_name_is_left_to_the_system_and_a_path_is_made_absolute() {
        assert_eq!(resolve(Path::new("libno-such-thing.so"), None), Path::new("libno-such-thing.so"));
        assert!(resolve(Path::new("no/such/thing.so"), None).is_absolute());
    }
}

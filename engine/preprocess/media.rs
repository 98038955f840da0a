//! Where pictures and sounds come from: a path, an http(s) address, a `data:` URL, or base64.

use std::path::Path;
use std::time::Duration;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{Error, ErrorKind, Result};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 31;

/// A picture's or sound's file in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// What errors call it: its path or address, or the start of its data.
    pub name: String,
}

/// Reads what a string stands for ([`read_within`]), with the usual patience for servers.
pub fn read(source: &str) -> Result<Media> {
    read_within(source, None)
}

/// Reads what a string stands for. An `http://` or `https://` address is downloaded; else a file with this path is read; else the
/// string is taken for a `data:` URL or for base64.
///
/// A server may be silent for `timeout`, as in Python.
pub fn read_within(source: &str, timeout: Option<Duration>) -> Result<Media> {
    let name = shortened(source);
    if source.starts_with("http://") || source.starts_with("https://") {
        return Ok(Media { bytes: download(source, timeout)?, name });
    }
    let path = Path::new(source);
    if path.is_file() {
        return Ok(Media { bytes: read_file(path)?, name });
    }
    let encoded = match source.strip_prefix("data:") {
        Some(data) => data.split_once(',').map(|(_, encoded)| encoded),
        None => Some(source),
    };
    match encoded.and_then(decode_base64) {
        Some(bytes) => Ok(Media { bytes, name }),
        None if source.starts_with("data:") => {
            Err(Error::new(ErrorKind::Request, format!("{name}: a data: URL must hold base64 after its comma")))
        }
        None => Err(Error::new(ErrorKind::NotFound, format!("{name}: no such file, and no http(s) address, data: URL or base64 either"))),
    }
}

/// Runs a decoder. Those come from other crates: should one panic on a damaged file, that is an error as well.
pub(crate) fn guarded<T>(name: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Media, format!("{name}: the decoder broke off: the file is damaged"))))
}

#[cfg(feature = "hub")]
fn download(address: &str, timeout: Option<Duration>) -> Result<Vec<u8>> {
    crate::hub::download_bytes_within(address, MAX_BYTES, timeout)
}

#[cfg(not(feature = "hub"))]
fn download(address: &str, _: Option<Duration>) -> Result<Vec<u8>> {
    Err(Error::unsupported(format!("{address}: downloading is left out of this build (feature `hub`); pass a path")))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
    if size > MAX_BYTES {
        return Err(Error::new(ErrorKind::Media, format!("{}: {size} bytes; up to {MAX_BYTES} are read", path.display())));
    }
    std::fs::read(path).map_err(|e| Error::io(path, e))
}

/// Base64, with or without line breaks and padding; nothing where it is none.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose =
        GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    ENGINE.decode(compact).ok()
}

fn shortened(source: &str) -> String {
    const LONGEST: usize = 200;
    match source.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &source[..end]),
        None => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_sources_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http_picture.png");
        std::fs::write(&path, b"file").unwrap();
        assert_eq!(read(path.to_str().unwrap()).unwrap().bytes, b"file");
        assert_eq!(read("data:image/png;base64,aGVsbG8=").unwrap().bytes, b"hello");
        assert_eq!(read("aGVs\nbG8").unwrap().bytes, b"hello");
        let errors = [
            ("nowhere.png", ErrorKind::NotFound),
            (folder.path().to_str().unwrap(), ErrorKind::NotFound),
            ("data:image/png", ErrorKind::Request),
            ("data:image/png;base64,a!", ErrorKind::Request),
        ];
        for (source, kind) in errors {
            let error = read(source).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(source), "{error}");
        }
    }

    #[test]
    fn panics_of_decoders_are_errors() {
        let error = guarded("broken.wav", || -> Result<()> { panic!("an index out of bounds") }).unwrap_err();
        assert!(error.kind() == ErrorKind::Media && error.to_string().starts_with("broken.wav"), "{error}");
    }

    #[test]
    fn names_are_short() {
        let error = read(&"é!".repeat(10_000)).unwrap_err().to_string();
        assert!(error.len() < 600, "{error}");
    }
}

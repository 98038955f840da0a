//! The bytes of a file: small files are read, larger ones are mapped.

use std::{fs::File, io::Read, ops::Deref, path::Path};

use memmap2::Mmap;

use crate::{Error, Result};

/// Files of more bytes are mapped. Below, a map saves nothing, and a file that others cut short is an error when it is read, not a signal.
const SMALL: u64 = 1 << 20;

/// What is in a file. Whoever shortens a mapped one while this lives ends the process.
#[derive(Debug)]
pub enum Content {
    /// Its bytes.
    Read(Vec<u8>),
    /// Its pages, which take memory only where somebody reads them.
    Mapped(Mmap),
}

impl Content {
    /// Reads or maps a file.
    ///
    /// # Errors
    /// What is no file, or cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        let (file, length) = open(path)?;
        if length <= SMALL {
            return read(file, length).map(Self::Read).map_err(|e| Error::io(path, e));
        }
        // SAFETY: the map is only read, within its bounds; what befalls a file that shrinks is said above.
        #[allow(unsafe_code)]
        unsafe { Mmap::map(&file) }.map(Self::Mapped).map_err(|e| Error::io(path, e))
    }

    /// Reads a file, however large it is.
    ///
    /// # Errors
    /// As [`Content::of`], or no memory for it.
    pub fn read(path: &Path) -> Result<Self> {
        let (file, length) = open(path)?;
        read(file, length).map(Self::Read).map_err(|e| Error::io(path, e))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Read(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// Whether there is memory for so many bytes. Asking for more in earnest ends the process, where that has a limit.
pub fn has_room(bytes: u64) -> bool {
    let mut asked = Vec::<u8>::new();
    let given = asked.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX)).is_ok();
    // What nobody looks at is not even asked for.
    given && std::hint::black_box(&asked).capacity() as u64 >= bytes
}

fn open(path: &Path) -> Result<(File, u64)> {
    // Before it is opened, which for a pipe may take for ever.
    if !std::fs::metadata(path).map_err(|e| Error::io(path, e))?.is_file() {
        return Err(Error::checkpoint(format!("{}: not a file", path.display())));
    }
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    Ok((file, length))
}

/// So many bytes, from where a reader is, into memory that is asked for before.
pub(crate) fn read(from: impl Read, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX)).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
    from.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it has become shorter"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_files_are_mapped() {
        let folder = tempfile::tempdir().unwrap();
        for (size, mapped) in [(0, false), (5, false), (SMALL as usize, false), (SMALL as usize + 1, true)] {
            let file = folder.path().join("file");
            let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&file, &bytes).unwrap();
            let content = Content::of(&file).unwrap();
            assert_eq!((content[..] == bytes, matches!(content, Content::Mapped(_))), (true, mapped), "{size}");
            assert!(matches!(Content::read(&file).unwrap(), Content::Read(read) if read == bytes));
        }
        assert!(Content::of(folder.path()).is_err() && Content::of(&folder.path().join("none")).is_err());
        assert!(has_room(1 << 20) && !has_room(1 << 60) && !has_room(u64::MAX));
        assert_eq!(read(&b"abc"[..], 4).unwrap_err().to_string(), "it has become shorter");
        assert_eq!(read(&b"abc"[..], u64::MAX).unwrap_err().kind(), std::io::ErrorKind::OutOfMemory);
    }
}

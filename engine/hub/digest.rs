//! Hashes of content, as the cache names its blobs: SHA-256 of large files, git's SHA-1 of the others.

use std::{io::Read, path::Path};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A hash being computed over content as it comes.
pub(super) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// The hash that a blob name of this length is, when it is one; git's begins with the size.
    pub(super) fn for_name(name: &str, size: u64) -> Option<Self> {
        if !super::name::is_hex(name) {
            return None;
        }
        match name.len() {
            64 => Some(Self::Sha256(Sha256::new())),
            40 => {
                let mut sha1 = Sha1::new();
                sha1.update(format!("blob {size}\0"));
                Some(Self::Git(sha1))
            }
            _ => None,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    /// Adds everything in a file.
    pub(super) fn update_from(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                n => self.update(&buffer[..n]),
            }
        }
    }

    pub(super) fn matches(self, name: &str) -> bool {
        let hash: Vec<u8> = match self {
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Git(hash) => hash.finalize().to_vec(),
        };
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().eq_ignore_ascii_case(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_git_and_sha256sum_say() {
        for name in ["ce013625030ba8dba906f756967f9e9ca394464a", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"] {
            let mut hasher = Hasher::for_name(name, 6).unwrap();
            hasher.update(b"hello\n");
            assert!(hasher.matches(name), "{name}");
        }
        assert!(Hasher::for_name("abc", 6).is_none());
        assert!(Hasher::for_name("etag-of-another-server-etag-of-another-s", 6).is_none());
    }
}

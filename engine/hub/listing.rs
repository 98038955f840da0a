//! What a commit consists of. A commit never changes, so its listing is kept, in the form that Python keeps it:
//! `trees/<commit>.json`.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

const FORMAT_VERSION: u64 = 1;
/// Listings of real repositories are far below this.
const MAX_BYTES: u64 = 64 << 20;

/// The files of a commit by path.
pub(super) type Listing = BTreeMap<String, Entry>;

/// What the Hub says about a file before it is downloaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// Its size in bytes.
    pub(super) size: Option<u64>,
    /// Its git object, which names its blob unless it is stored as a large file.
    pub(super) blob_id: Option<String>,
    /// Its hash when it is stored as a large file.
    pub(super) sha256: Option<String>,
    /// Its content hash in Xet storage.
    pub(super) xet_hash: Option<String>,
}

/// The kept listing, when there is a sound one. Names that would leave the folder are dropped.
pub(super) fn read(path: &Path) -> Option<Listing> {
    if fs::metadata(path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let value: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if value.get("format_version")?.as_u64()? != FORMAT_VERSION {
        return None;
    }
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let entry = |entry: &Value| Entry {
        size: entry.get("size").and_then(Value::as_u64),
        blob_id: text(entry, "blob_id"),
        sha256: text(entry, "lfs_sha256"),
        xet_hash: text(entry, "xet_hash"),
    };
    let files = value.get("files")?.as_object()?;
    Some(files.iter().filter(|(name, _)| super::name::is_file(name)).map(|(name, value)| (name.clone(), entry(value))).collect())
}

/// Keeps a listing that is complete enough for Python to read; a listing that cannot be kept is asked for again next time.
#[cfg(feature = "hub")]
pub(super) fn write(path: &Path, listing: &Listing) {
    let mut files = serde_json::Map::new();
    for (name, entry) in listing {
        let (Some(size), Some(blob_id)) = (entry.size, &entry.blob_id) else { return };
        let mut value = serde_json::json!({ "size": size, "blob_id": blob_id });
        if let Some(sha256) = &entry.sha256 {
            value["lfs_sha256"] = sha256.as_str().into();
            value["lfs_size"] = size.into();
        }
        // Python throws the whole listing away over one odd hash.
        if let Some(hash) = entry.xet_hash.as_deref().filter(|hash| hash.len() == 64 && super::name::is_hex(hash)) {
            value["xet_hash"] = hash.into();
        }
        files.insert(name.clone(), value);
    }
    let text = serde_json::json!({ "format_version": FORMAT_VERSION, "files": files }).to_string();
    if let Err(error) = super::store::write_atomically(path, text.as_bytes()) {
        tracing::debug!("{}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        fs::write(
            &path,
            r#"{"format_version": 1, "files": {
                "config.json": {"size": 519, "blob_id": "ab"},
                "../evil": {"size": 1, "blob_id": "cd"},
                "model.safetensors": {"size": 9, "blob_id": "ef", "lfs_sha256": "12", "lfs_size": 9, "xet_hash": "34"}}}"#,
        )
        .unwrap();
        let listing = read(&path).unwrap();
        assert_eq!(listing.keys().collect::<Vec<_>>(), ["config.json", "model.safetensors"]);
        assert_eq!(listing["config.json"].size, Some(519));
        assert_eq!(listing["model.safetensors"].sha256.as_deref(), Some("12"));
    }

    #[test]
    fn ignores_other_versions_and_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        for text in ["", "{", "[]", r#"{"format_version": 2, "files": {}}"#, r#"{"format_version": 1}"#] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path), None, "{text}");
        }
        assert_eq!(read(&folder.path().join("missing")), None);
    }

    #[cfg(feature = "hub")]
    #[test]
    fn keeps_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trees/t.json");
        let entry = Entry { size: Some(3), blob_id: Some("ab".into()), sha256: Some("cd".into()), xet_hash: Some("e".repeat(64)) };
        let listing = Listing::from([("a/b".to_owned(), entry)]);
        write(&path, &listing);
        assert_eq!(read(&path), Some(listing));
    }
}

//! Large files that several models of the cache share: newer versions of Python's `huggingface_hub` keep them in
//! `blobs/<2 digits>/<hash>` of the cache, with a list of the links to each beside it, `<hash>.refs`. Models that Python
//! downloaded are links into there; reading needs no care, removing does.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{layout::Layout, name};

const MARKER: &str = ".huggingface-shared-blobs";
const MARKED: &str = "1\n";

/// The shared files that a model's blobs are links to.
pub(super) fn blobs_of(layout: &Layout) -> Vec<PathBuf> {
    let links = fs::read_dir(layout.blobs()).into_iter().flatten().flatten();
    links.filter_map(|link| target(&layout.cache, &link.path())).collect()
}

/// Removes those of the shared files that no model links to any more, and says how many bytes that freed. What cannot be
/// judged stays.
pub(super) fn sweep(cache: &Path, shared: &[PathBuf]) -> u64 {
    let marked = fs::read_to_string(store(cache).join(MARKER)).is_ok_and(|text| text == MARKED);
    if !marked {
        return 0;
    }
    shared.iter().map(|blob| sweep_one(cache, blob).unwrap_or(0)).sum()
}

fn sweep_one(cache: &Path, blob: &Path) -> io::Result<u64> {
    // Python holds the same lock while it adds a link.
    let lock = fs::File::options().create(true).truncate(false).write(true).open(beside(blob, "lock"))?;
    lock.lock()?;
    let references = beside(blob, "refs");
    let links = fs::read_to_string(&references)?;
    let links = links.lines().filter(|link| name::is_file(link));
    if links.map(|link| super::layout::below(cache.to_owned(), link)).any(|link| target(cache, &link).as_deref() == Some(blob)) {
        return Ok(0);
    }
    let size = fs::symlink_metadata(blob)?.len();
    fs::remove_file(blob)?;
    fs::remove_file(references)?;
    Ok(size)
}

/// The shared file that a blob is a link to, if that is what it is.
fn target(cache: &Path, link: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let hash = target.file_name()?.to_str()?;
    if hash.len() != 64 || !name::is_hex(hash) {
        return None;
    }
    let blob = store(cache).join(&hash[..2]).join(hash);
    let same = fs::canonicalize(&blob).ok()? == fs::canonicalize(link).ok()?;
    same.then_some(blob)
}

fn store(cache: &Path) -> PathBuf {
    cache.join("blobs")
}

fn beside(blob: &Path, extension: &str) -> PathBuf {
    blob.with_extension(extension)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::hub::cache;

    #[test]
    fn goes_with_the_last_model_that_links_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path();
        let hash = "ab".repeat(32);
        let shared = cache.join("blobs/ab").join(&hash);
        fs::create_dir_all(shared.parent().unwrap()).unwrap();
        fs::write(cache.join("blobs").join(MARKER), MARKED).unwrap();
        fs::write(&shared, "weights").unwrap();
        fs::write(beside(&shared, "refs"), "models--a--one/blobs/e1\nmodels--a--two/blobs/e1\n../../etc/passwd\n").unwrap();
        for model in ["models--a--one", "models--a--two"] {
            let blobs = cache.join(model).join("blobs");
            let snapshot = cache.join(model).join("snapshots").join("c".repeat(40));
            fs::create_dir_all(&blobs).unwrap();
            fs::create_dir_all(&snapshot).unwrap();
            std::os::unix::fs::symlink(format!("../../blobs/ab/{hash}"), blobs.join("e1")).unwrap();
            std::os::unix::fs::symlink("../../blobs/e1", snapshot.join("model.safetensors")).unwrap();
        }
        assert_eq!(cache::scan(cache).unwrap().iter().map(|repo| repo.size).collect::<Vec<_>>(), [7, 7]);
        assert_eq!(cache::remove(cache, "a/one", None).unwrap(), 0);
        assert!(shared.exists());
        assert_eq!(cache::remove(cache, "a/two", Some(&"c".repeat(40))).unwrap(), 7);
        assert!(!shared.exists());
    }
}

//! The cache of downloaded models as a whole: what is in it, removing from it, checking it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    digest::Hasher,
    environment::Environment,
    layout::{self, Layout},
    listing, local, name, shared,
};
use crate::{Error, ErrorKind, Result};

/// A model in the cache.
#[derive(Clone, Debug)]
pub struct CachedRepo {
    /// Its name on the Hub.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on disk, of all revisions together; what they share counts once.
    pub size: u64,
    /// Its commits, the latest first.
    pub revisions: Vec<CachedRevision>,
}

/// A commit of a model in the cache.
#[derive(Clone, Debug)]
pub struct CachedRevision {
    /// The full commit.
    pub commit: String,
    /// The branches and tags that were last seen at it.
    pub refs: Vec<String>,
    /// The files of it that are here.
    pub files: Vec<String>,
    /// The sum of their sizes.
    pub size: u64,
    /// When the latest of them was downloaded.
    pub modified: Option<SystemTime>,
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Files whose content has the hash that names it.
    pub sound: usize,
    /// Files whose content cannot be checked, because nothing says what hash it should have.
    pub unchecked: usize,
    /// What is wrong with the others.
    pub problems: Vec<Problem>,
}

/// A file of the cache that is not as it should be.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The file on disk.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// The cache folder that the environment names: `HF_HUB_CACHE`, `HF_HOME/hub`, or the default of the platform.
pub fn dir() -> PathBuf {
    Environment::of_process().cache()
}

/// The models in a cache, by name. A cache that is not there yet is empty.
///
/// # Errors
/// When the folder cannot be read.
pub fn scan(cache: &Path) -> Result<Vec<CachedRepo>> {
    let entries = match fs::read_dir(cache) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io(cache, error))?,
    };
    let names = entries.flatten().filter_map(|entry| layout::repo_of_folder(&entry.file_name().into_string().ok()?));
    let names: BTreeSet<_> = names.collect();
    Ok(names.into_iter().map(|name| scan_repo(name.clone(), &Layout::new(cache, &name))).collect())
}

fn scan_repo(name: String, layout: &Layout) -> CachedRepo {
    let refs = references(layout);
    let mut blobs = BTreeMap::new();
    let mut revisions = Vec::new();
    for commit in commits(layout) {
        let snapshot = layout.snapshot(&commit);
        let files = local::files(&snapshot);
        let (mut size, mut modified) = (0, None);
        for file in &files {
            let path = layout::below(snapshot.clone(), file);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            size += metadata.len();
            modified = modified.max(metadata.modified().ok());
            blobs.insert(fs::canonicalize(&path).unwrap_or(path), metadata.len());
        }
        let refs = refs.iter().filter(|(_, at)| **at == commit).map(|(name, _)| name.clone()).collect();
        revisions.push(CachedRevision { commit, refs, files, size, modified });
    }
    revisions.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.commit.cmp(&b.commit)));
    CachedRepo { name, path: layout.folder.clone(), size: blobs.values().sum(), revisions }
}

/// Removes a model, or one revision of it (a commit, branch or tag), and says how many bytes that freed.
///
/// # Errors
/// When it is not in the cache, or cannot be removed.
pub fn remove(cache: &Path, repo: &str, revision: Option<&str>) -> Result<u64> {
    let layout = existing(cache, repo)?;
    let before = disk_use(&layout.folder);
    let shared = shared::blobs_of(&layout);
    let Some(revision) = revision else {
        // Under another name first: what is being removed must not be found half.
        let doomed = cache.join(format!(".removed-{}", layout.folder.file_name().unwrap_or_default().to_string_lossy()));
        remove_folder(&doomed)?;
        fs::rename(&layout.folder, &doomed).map_err(|error| Error::io(&layout.folder, error))?;
        remove_folder(&layout.locks())?;
        remove_folder(&doomed)?;
        return Ok(before + shared::sweep(cache, &shared));
    };
    let refs = references(&layout);
    let commit = refs.get(revision).cloned().unwrap_or_else(|| revision.to_owned());
    let known = name::is_commit(&commit) && layout.snapshot(&commit).is_dir();
    if !known {
        return Err(Error::new(ErrorKind::NotFound, format!("{repo}: revision {revision} is not in the cache")));
    }
    for (name, _) in refs.iter().filter(|(_, at)| **at == commit) {
        remove_file(&layout.reference(name))?;
    }
    remove_folder(&layout.snapshot(&commit))?;
    remove_folder(&layout.folder.join(".no_exist").join(&commit))?;
    remove_file(&layout.listing(&commit))?;
    let needed: BTreeSet<_> = commits(&layout).iter().flat_map(|commit| blobs_of(&layout, commit)).collect();
    for blob in local::files(&layout.blobs()) {
        // Others may be downloading what is incomplete.
        if !needed.contains(&blob) && !blob.ends_with(".incomplete") {
            remove_file(&layout.blobs().join(blob))?;
        }
    }
    Ok(before.saturating_sub(disk_use(&layout.folder)) + shared::sweep(cache, &shared))
}

/// Compares the content of everything in the cache of a model with the hashes that it is named by: SHA-256 for large files,
/// git's for the others.
///
/// # Errors
/// When the model is not in the cache.
pub fn verify(cache: &Path, repo: &str) -> Result<Verified> {
    let layout = existing(cache, repo)?;
    let mut found = Verified::default();
    for blob in local::files(&layout.blobs()).into_iter().filter(|blob| !blob.ends_with(".incomplete")) {
        check(&layout.blobs().join(&blob), &blob, &mut found);
    }
    for commit in commits(&layout) {
        let listing = listing::read(&layout.listing(&commit)).unwrap_or_default();
        for path in entries(&layout.snapshot(&commit)) {
            if path.is_symlink() {
                if !path.exists() {
                    found.problems.push(Problem { path, what: "its content is gone".to_owned() });
                }
                continue;
            }
            // Where links do not work the file itself is here, and only the listing knows its hash.
            let file = path.strip_prefix(layout.snapshot(&commit)).map(|file| file.to_string_lossy().replace('\\', "/"));
            let entry = file.ok().and_then(|file| listing.get(&file)).cloned().unwrap_or_default();
            check(&path, &entry.sha256.or(entry.blob_id).unwrap_or_default(), &mut found);
        }
    }
    Ok(found)
}

fn check(path: &Path, hash: &str, found: &mut Verified) {
    let checked = fs::metadata(path).and_then(|metadata| match Hasher::for_name(hash, metadata.len()) {
        Some(mut hasher) => hasher.update_from(path).map(|()| Some(hasher.matches(hash))),
        None => Ok(None),
    });
    let what = match checked {
        Ok(Some(true)) => return found.sound += 1,
        Ok(None) => return found.unchecked += 1,
        Ok(Some(false)) => "its content does not have the hash that names it".to_owned(),
        Err(error) => error.to_string(),
    };
    found.problems.push(Problem { path: path.to_owned(), what });
}

fn existing(cache: &Path, repo: &str) -> Result<Layout> {
    let layout = Layout::new(cache, repo);
    if name::is_repo_id(repo) && layout.folder.is_dir() {
        return Ok(layout);
    }
    Err(Error::new(ErrorKind::NotFound, format!("{repo} is not in the cache ({})", cache.display())))
}

fn commits(layout: &Layout) -> Vec<String> {
    let entries = fs::read_dir(layout.folder.join("snapshots")).into_iter().flatten().flatten();
    let mut commits: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|c| name::is_commit(c)).collect();
    commits.sort();
    commits
}

/// Branches and tags, with the commit that each was last seen at.
fn references(layout: &Layout) -> BTreeMap<String, String> {
    let names = local::files(&layout.folder.join("refs"));
    let read = |name: String| {
        let commit = fs::read_to_string(layout.reference(&name)).ok()?;
        Some((name, commit.trim().to_owned()))
    };
    names.into_iter().filter_map(read).collect()
}

/// The names of the blobs that a commit's files are links to.
fn blobs_of(layout: &Layout, commit: &str) -> Vec<String> {
    let links = entries(&layout.snapshot(commit)).into_iter().filter_map(|path| fs::read_link(path).ok());
    links.filter_map(|target| target.file_name()?.to_str().map(str::to_owned)).collect()
}

/// Everything below a folder that is not itself a folder, links not followed.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Bytes on disk below a folder; a link is not what it points to.
fn disk_use(folder: &Path) -> u64 {
    entries(folder).iter().filter_map(|path| fs::symlink_metadata(path).ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

fn remove_folder(folder: &Path) -> Result<()> {
    absent_is_fine(fs::remove_dir_all(folder)).map_err(|error| Error::io(folder, error))
}

fn remove_file(file: &Path) -> Result<()> {
    absent_is_fine(fs::remove_file(file)).map_err(|error| Error::io(file, error))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

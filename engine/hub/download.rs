//! Files from the Hub into the cache.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    Progress,
    apart::{apart, together},
    environment::Environment,
    failure::{Cause, Failure},
    http::Description,
    layout::Layout,
    listing::Entry,
    remote::{ATTEMPTS, Remote, retry},
    store,
    transfer::Transfer,
};
use crate::{Error, ErrorKind, Result};

/// Files under way at once.
const WORKERS: usize = 4;

/// Where files come from and go to.
pub(super) struct Source<'a> {
    pub(super) remote: &'a Remote,
    pub(super) repo: &'a str,
    pub(super) revision: &'a str,
    pub(super) commit: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) progress: Option<&'a dyn Progress>,
}

impl Source<'_> {
    /// Downloads files, in the order given; `entry` is what the listing says about one. Runs on threads of its own, so that it
    /// may be called from anybody's asynchronous code.
    pub(super) fn fetch(&self, files: &[&str], entry: impl Fn(&str) -> Entry + Sync) -> Result<Vec<PathBuf>> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let results = Mutex::new(Vec::new());
        let work = || {
            while let Some((at, file)) = take(files, &next).filter(|_| !failed.load(Ordering::Relaxed)) {
                let result = self.fetch_one(file, &entry(file));
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        };
        let started = thread::scope(|scope| together(scope, WORKERS.min(files.len()), work));
        started.map_err(|problem| Error::new(ErrorKind::Io, format!("{}: {problem}", self.repo)))?;
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Whether the Hub says that there is no such file.
    pub(super) fn is_absent(&self, file: &str) -> bool {
        let described = apart(|| self.describe(file));
        described.is_ok_and(|described| described.is_err_and(|failure| failure.cause == Cause::Entry))
    }

    /// What the Hub says about a file. That there is none is noted, as Python does.
    fn describe(&self, file: &str) -> std::result::Result<Description, Failure> {
        let url = self.remote.http.address(self.repo, self.commit, file);
        retry(ATTEMPTS, || self.remote.run(self.remote.http.describe(url.clone()))).inspect_err(|failure| {
            if failure.cause == Cause::Entry {
                drop(store::write_atomically(&self.layout.no_exist(self.commit, file), b""));
            }
        })
    }

    fn fetch_one(&self, file: &str, entry: &Entry) -> Result<PathBuf> {
        let error = |failure| self.remote.error(failure, self.repo, self.revision, Some(file));
        let described = self.describe(file).map_err(error)?;
        let url = self.remote.http.address(self.repo, self.commit, file);
        let etag = described.etag.ok_or_else(|| error(Failure::new(Cause::Malformed, "the Hub sent no ETag")))?;
        // Sizes and hashes come from headers; git's hash only counts when the listing says that it is one.
        let hash = (etag.len() == 64 || entry.blob_id.as_ref() == Some(&etag)).then_some(etag.as_str());
        if let (Some(listed), Some(said)) = (entry.size, described.size)
            && listed != said
        {
            return Err(error(Failure::new(Cause::Malformed, format!("listed with {listed} bytes, but described with {said}"))));
        }
        let transfer = Transfer { remote: self.remote, url, file, size: described.size.or(entry.size), hash, progress: self.progress };
        let pointer = self.layout.pointer(self.commit, file);
        self.store(&etag, &transfer, &pointer).map_err(error)?;
        if let Some(progress) = self.progress {
            progress.finish(file);
        }
        Ok(pointer)
    }

    /// Makes sure of the blob, under its lock, and of the link to it.
    fn store(&self, etag: &str, transfer: &Transfer, pointer: &std::path::Path) -> std::result::Result<(), Failure> {
        let blob = self.layout.blobs().join(etag);
        let disk = |error: std::io::Error| Failure::disk(&blob, &error);
        std::fs::create_dir_all(self.layout.blobs()).map_err(disk)?;
        let shared = self.layout.blobs().join(format!("{etag}.incomplete"));
        let lock = store::lock(self.layout, etag, &shared).map_err(disk)?;
        let is_new = !blob.is_file();
        // Where links are not allowed, somebody may have put the file itself there in the meantime.
        if is_new && pointer.is_file() {
            return Ok(());
        }
        if is_new {
            // Without a lock the remainder of an earlier download may be somebody's current one.
            let part = match lock {
                Some(_) => shared,
                None => self.layout.blobs().join(format!("{etag}.{:x}.incomplete", store::unique())),
            };
            let result = transfer.run(&part).and_then(|()| std::fs::rename(&part, &blob).map_err(disk));
            if lock.is_none() {
                drop(std::fs::remove_file(&part));
            }
            result?;
        }
        let ways = store::Way::all(Environment::of_process().allows_links(), is_new);
        store::link(self.layout, &blob, pointer, ways).map_err(|error| Failure::disk(pointer, &error))
    }
}

fn take<'a>(files: &[&'a str], next: &AtomicUsize) -> Option<(usize, &'a str)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    files.get(at).map(|file| (at, *file))
}

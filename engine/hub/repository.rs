//! A repository of the Hub at one commit: first what the cache has, then what the Hub sends.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Options,
    environment::Settings,
    layout::Layout,
    listing::{self, Listing},
    local, name,
};
#[cfg(feature = "hub")]
use super::{
    download::Source,
    failure::{Cause, Failure},
    remote::Remote,
};
use crate::{Error, ErrorKind, Result};

/// One repository at one commit.
pub(super) struct Repository {
    name: String,
    /// What was asked for: a branch, a tag or the commit itself.
    revision: String,
    commit: String,
    layout: Layout,
    settings: Settings,
    listing: OnceLock<Option<Listing>>,
    /// Whether `refs/` is known to say what the Hub says.
    noted: AtomicBool,
    /// Whether what the cache has must do, since the Hub cannot be asked: what it has not is then not there, as in Python.
    #[cfg(feature = "hub")]
    cache_alone: AtomicBool,
    #[cfg(feature = "hub")]
    remote: OnceLock<Remote>,
    /// The names that came with the commit, for a server that lists no tree.
    #[cfg(feature = "hub")]
    names: Vec<String>,
}

impl Repository {
    pub(super) fn open(repo: &str, options: &Options) -> Result<Self> {
        let settings = Settings::of_process(options);
        let revision = options.revision.clone().unwrap_or_else(|| "main".to_owned());
        if !name::is_revision(&revision) {
            return Err(Error::request("revision", format!("{revision:?} is not a branch, tag or commit")));
        }
        let layout = Layout::new(&settings.cache, repo);
        let mut this = Self {
            name: repo.to_owned(),
            commit: revision.clone(),
            noted: AtomicBool::new(name::is_commit(&revision)),
            revision,
            layout,
            settings,
            listing: OnceLock::new(),
            #[cfg(feature = "hub")]
            cache_alone: AtomicBool::new(false),
            #[cfg(feature = "hub")]
            remote: OnceLock::new(),
            #[cfg(feature = "hub")]
            names: Vec::new(),
        };
        this.resolve()?;
        Ok(this)
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// Finds the commit: a full commit is one, the Hub knows the others, and else the cache may.
    fn resolve(&mut self) -> Result<()> {
        let pinned = name::is_commit(&self.revision);
        let cached = if pinned { None } else { self.cached_commit() };
        #[cfg(feature = "hub")]
        if !self.settings.network.offline {
            return self.resolve_remotely(pinned, cached);
        }
        self.noted = AtomicBool::new(true);
        match cached {
            Some(commit) => self.commit = commit,
            None if pinned && self.layout.snapshot(&self.commit).is_dir() => {}
            None => return Err(self.not_cached(None)),
        }
        Ok(())
    }

    /// The commit that the cache last saw the revision at, if something of it is there.
    fn cached_commit(&self) -> Option<String> {
        let text = fs::read_to_string(self.layout.reference(&self.revision)).ok()?;
        let commit = text.trim();
        (name::is_commit(commit) && self.layout.snapshot(commit).is_dir()).then(|| commit.to_owned())
    }

    /// A file that is in the cache; a link whose blob is gone is not.
    pub(super) fn cached(&self, file: &str) -> Option<PathBuf> {
        let pointer = self.layout.pointer(&self.commit, file);
        pointer.is_file().then_some(pointer)
    }

    pub(super) fn files(&self) -> Vec<String> {
        let cached = local::files(&self.layout.snapshot(&self.commit));
        let listed = self.listing().map(|listing| listing.keys().cloned().collect::<BTreeSet<_>>()).unwrap_or_default();
        listed.into_iter().chain(cached).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn has(&self, file: &str) -> bool {
        if self.cached(file).is_some() {
            return true;
        }
        let known_absent = self.layout.no_exist(&self.commit, file).is_file();
        !known_absent && self.listing().map_or_else(|| self.probe(file), |listing| listing.contains_key(file))
    }

    /// What the listing says about the size of a file.
    pub(super) fn listed_size(&self, file: &str) -> Option<u64> {
        self.listing()?.get(file)?.size
    }

    pub(super) fn fetch(&self, files: &[&str]) -> Result<Vec<PathBuf>> {
        let cached: Vec<_> = files.iter().map(|file| self.cached(file)).collect();
        let missing: Vec<_> = files.iter().zip(&cached).filter(|(_, path)| path.is_none()).map(|(file, _)| *file).collect();
        let mut fetched = self.download(&missing)?.into_iter();
        let paths = cached.into_iter().filter_map(|path| path.or_else(|| fetched.next())).collect();
        self.note_revision();
        Ok(paths)
    }

    /// All files of the commit, when the cache or the Hub can say.
    fn listing(&self) -> Option<&Listing> {
        self.listing.get_or_init(|| listing::read(&self.layout.listing(&self.commit)).or_else(|| self.ask_listing())).as_ref()
    }

    /// An error for what only the network could bring.
    fn not_cached(&self, file: Option<&str>) -> Error {
        let what = file.map_or_else(|| format!("revision {}", self.revision), str::to_owned);
        let place = format!("{}: {what} is not in the cache ({})", self.name, self.settings.cache.display());
        Error::new(ErrorKind::Offline, format!("{place} {}", self.advice()))
    }

    #[cfg(feature = "hub")]
    fn advice(&self) -> &'static str {
        match self.settings.network.is_offline_by_option {
            true => "and the network must not be used, as was asked for (offline): allow it, or download the model beforehand",
            false => "and the network must not be used: unset HF_HUB_OFFLINE, or download the model beforehand",
        }
    }

    #[cfg(not(feature = "hub"))]
    fn advice(&self) -> String {
        format!("and this program was built without the `hub` feature: build it with that, or download {} by other means", self.name)
    }
}

#[cfg(feature = "hub")]
impl Repository {
    /// The connection to the Hub, made when it is first needed: what is in the cache should not wait for it.
    fn remote(&self) -> Result<&Remote> {
        if let Some(remote) = self.remote.get() {
            return Ok(remote);
        }
        if self.settings.network.offline {
            return Err(self.not_cached(None));
        }
        let remote = Remote::new(&self.settings.network)?;
        Ok(self.remote.get_or_init(|| remote))
    }

    fn resolve_remotely(&mut self, pinned: bool, cached: Option<String>) -> Result<()> {
        if pinned {
            return if self.layout.snapshot(&self.commit).is_dir() { Ok(()) } else { self.check_commit() };
        }
        let remote = self.remote()?;
        match remote.commit(&self.name, &self.revision, cached.is_some()) {
            Ok(answer) => (self.commit, self.names) = answer,
            Err(failure) => match cached.filter(|_| !failure.is_missing_revision()) {
                Some(commit) => {
                    tracing::warn!("{}: {failure}; going on with what the cache has", self.name);
                    self.commit = commit;
                    // An old answer is no reason to change what is noted.
                    self.noted = AtomicBool::new(true);
                    self.cache_alone = AtomicBool::new(true);
                }
                None => return Err(remote.error(failure, &self.name, &self.revision, None)),
            },
        }
        Ok(())
    }

    /// Whether the Hub has a file, where it lists none.
    fn probe(&self, file: &str) -> bool {
        // Trouble is told when the file is asked for.
        !self.cache_alone.load(Ordering::Relaxed) && self.remote().is_ok_and(|remote| !self.source(remote).is_absent(file))
    }

    /// Asks about a commit that the cache has nothing of, so that a wrong one is an error from the start.
    fn check_commit(&self) -> Result<()> {
        let remote = self.remote()?;
        match self.ask_tree(remote) {
            Ok(listing) => drop(self.listing.set(Some(listing))),
            // A server without listings may still have the files.
            Err(failure) if failure.cause == Cause::Entry => {}
            Err(failure) => return Err(remote.error(failure, &self.name, &self.revision, None)),
        }
        Ok(())
    }

    fn ask_tree(&self, remote: &Remote) -> std::result::Result<Listing, Failure> {
        remote.tree(&self.name, &self.commit).inspect(|listing| listing::write(&self.layout.listing(&self.commit), listing))
    }

    fn ask_listing(&self) -> Option<Listing> {
        if self.cache_alone.load(Ordering::Relaxed) {
            return None;
        }
        match self.ask_tree(self.remote().ok()?) {
            Ok(listing) => Some(listing),
            Err(failure) => {
                // A commit that is in the cache was not asked about before.
                if failure.is_passing() && self.layout.snapshot(&self.commit).is_dir() && self.names.is_empty() {
                    tracing::warn!("{}: {failure}; going on with what the cache has", self.name);
                    self.cache_alone.store(true, Ordering::Relaxed);
                }
                tracing::debug!("{}: no listing of {}: {failure}", self.name, self.commit);
                let names = self.names.iter().map(|name| (name.clone(), listing::Entry::default()));
                (!self.names.is_empty()).then(|| names.collect())
            }
        }
    }

    fn download(&self, files: &[&str]) -> Result<Vec<PathBuf>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        if self.settings.network.offline {
            return Err(self.not_cached(files.first().copied()));
        }
        let remote = self.remote()?;
        let listing = self.listing();
        if let Some(file) = files.iter().find(|file| listing.is_some_and(|listing| !listing.contains_key(**file))) {
            return Err(Error::new(ErrorKind::NotFound, format!("{}: there is no file {file} at revision {}", self.name, self.revision)));
        }
        self.source(remote).fetch(files, |file| listing.and_then(|listing| listing.get(file)).cloned().unwrap_or_default())
    }

    fn source<'a>(&'a self, remote: &'a Remote) -> Source<'a> {
        Source {
            remote,
            repo: &self.name,
            revision: &self.revision,
            commit: &self.commit,
            layout: &self.layout,
            progress: self.settings.network.progress.as_deref(),
        }
    }

    /// Notes what commit the revision is at, once something of that commit is here to be found.
    fn note_revision(&self) {
        if self.noted.swap(true, Ordering::Relaxed) {
            return;
        }
        let path = self.layout.reference(&self.revision);
        if fs::read_to_string(&path).is_ok_and(|noted| noted == self.commit) {
            return;
        }
        // A cache that may only be read still serves.
        if let Err(error) = super::store::write_atomically(&path, self.commit.as_bytes()) {
            tracing::debug!("{}: {error}", path.display());
        }
    }
}

#[cfg(not(feature = "hub"))]
impl Repository {
    fn probe(&self, _: &str) -> bool {
        false
    }

    fn ask_listing(&self) -> Option<Listing> {
        None
    }

    fn download(&self, files: &[&str]) -> Result<Vec<PathBuf>> {
        match files.first() {
            Some(file) => Err(self.not_cached(Some(file))),
            None => Ok(Vec::new()),
        }
    }

    fn note_revision(&self) {
        self.noted.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_alone() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { cache_dir: Some(folder.path().to_owned()), offline: Some(true), ..Options::default() };
        let open = |revision: Option<&str>| Repository::open("a/b", &Options { revision: revision.map(str::to_owned), ..options.clone() });
        let error = open(None).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Offline);
        let advice = if cfg!(feature = "hub") { "(offline): allow it" } else { "without the `hub` feature" };
        assert!(error.to_string().contains("revision main is not in the cache") && error.to_string().contains(advice), "{error}");

        let commit = "c0ffee".repeat(7)[..40].to_owned();
        let layout = Layout::new(folder.path(), "a/b");
        for (path, text) in [(layout.pointer(&commit, "config.json"), "{}"), (layout.reference("main"), commit.as_str())] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for revision in [None, Some("main"), Some(commit.as_str())] {
            let repository = open(revision).unwrap();
            assert_eq!(repository.commit(), commit);
            assert_eq!(repository.files(), ["config.json"]);
            assert!(repository.has("config.json") && !repository.has("tokenizer.json"));
            assert_eq!(repository.fetch(&["config.json"]).unwrap(), [layout.pointer(&commit, "config.json")]);
            let error = repository.fetch(&["config.json", "tokenizer.json"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Offline);
            assert!(error.to_string().contains("a/b: tokenizer.json is not in the cache"), "{error}");
        }
        assert_eq!(open(Some("dev")).err().unwrap().kind(), ErrorKind::Offline);
        // A reference that would lead out of the cache is none.
        fs::write(layout.reference("main"), "../../../../etc").unwrap();
        assert_eq!(open(None).err().unwrap().kind(), ErrorKind::Offline);
    }
}

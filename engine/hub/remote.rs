//! The Hub: what a revision is, what it consists of, and where files come from.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{
    apart::apart,
    environment::Network,
    failure::{Cause, Failure, with_causes},
    http::{self, Http, Patience},
    listing::{Entry, Listing},
    name,
};
use crate::{Error, ErrorKind, Result};

/// Tries before an error that may pass is given up on.
pub(super) const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Tries to get a connection at all.
const CONNECTION_ATTEMPTS: u32 = 2;
/// A server that asks for more patience than this gets none.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How long the Hub is waited for where the cache can do without.
const HASTY: Duration = Duration::from_secs(10);
const MAX_LISTED: usize = 100_000;
/// The Hub lists a thousand files a page.
const MAX_PAGES: usize = 1_000;
const MAX_LISTED_BYTES: usize = 128 << 20;
/// How long a listing may take in all.
const LISTING_TIMEOUT: Duration = Duration::from_secs(300);

/// What the Hub says about a revision.
#[derive(Deserialize)]
struct Info {
    sha: Option<String>,
    siblings: Option<Vec<Sibling>>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// An entry of a listing, in the Hub's words.
#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Option<String>,
    size: Option<u64>,
    lfs: Option<LargeFile>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: Option<String>,
}

impl From<TreeEntry> for Entry {
    fn from(entry: TreeEntry) -> Self {
        Self { size: entry.size, blob_id: entry.oid, sha256: entry.lfs.and_then(|lfs| lfs.oid), xet_hash: entry.xet_hash }
    }
}

/// A connection to the Hub.
pub(super) struct Remote {
    pub(super) http: Http,
    endpoint: String,
    has_token: bool,
    /// Runs the transfers. Taken out when dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Remote {
    pub(super) fn new(settings: &Network) -> Result<Self> {
        let http = Http::new(&settings.endpoint, settings.token.clone(), Patience::default())?;
        // It panics where the system refuses its thread.
        let runtime =
            apart(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("formers-hub").enable_all().build());
        let runtime = runtime.map_err(|problem| Error::new(ErrorKind::Io, format!("a connection to the Hub: {problem}")))?;
        let runtime = runtime.map_err(|error| Error::new(ErrorKind::Network, with_causes(&error)))?;
        Ok(Self { http, endpoint: settings.endpoint.clone(), has_token: settings.token.is_some(), runtime: Some(runtime) })
    }

    /// The commit of a revision and the names of its files. With something to fall back to, one try must do.
    pub(super) fn commit(&self, repo: &str, revision: &str, hasty: bool) -> std::result::Result<(String, Vec<String>), Failure> {
        let url = self.http.revision(repo, revision);
        let page = || self.http.page::<Info>(url.clone(), Cause::Repository);
        let ask = || match hasty {
            true => self.run(http::in_time(HASTY, page())),
            false => retry(ATTEMPTS, || self.run(page())),
        };
        let info = on_a_thread(ask)?.content;
        let commit = info.sha.filter(|sha| name::is_commit(sha));
        let commit = commit.ok_or_else(|| Failure::new(Cause::Malformed, "the Hub named no commit"))?;
        let names = info.siblings.into_iter().flatten().map(|file| file.rfilename).filter(|file| name::is_file(file));
        Ok((commit, names.collect()))
    }

    /// The files of a commit. Names that would leave the folder are dropped.
    pub(super) fn tree(&self, repo: &str, commit: &str) -> std::result::Result<Listing, Failure> {
        on_a_thread(|| self.pages(self.http.tree(repo, commit)))
    }

    fn pages(&self, first: reqwest::Url) -> std::result::Result<Listing, Failure> {
        let start = Instant::now();
        let (mut listing, mut listed, mut bytes) = (Listing::new(), 0, 0);
        let mut seen = BTreeSet::new();
        let mut next = Some(first);
        while let Some(url) = next.take() {
            if !seen.insert(url.to_string()) {
                return Err(Failure::new(Cause::Malformed, "a listing whose pages lead back to one that was there before"));
            }
            let page = retry(ATTEMPTS, || self.run(self.http.page::<Vec<TreeEntry>>(url.clone(), Cause::Entry)))?;
            (listed, bytes) = (listed + page.content.len(), bytes + page.bytes);
            if listed > MAX_LISTED || bytes > MAX_LISTED_BYTES || seen.len() > MAX_PAGES || start.elapsed() > LISTING_TIMEOUT {
                return Err(Failure::new(Cause::Malformed, "a listing that is far too long"));
            }
            let files = page.content.into_iter().filter(|entry| entry.kind == "file" && name::is_file(&entry.path));
            listing.extend(files.map(|entry| (entry.path.clone(), entry.into())));
            next = page.next;
        }
        Ok(listing)
    }

    /// Runs a transfer. The caller must be on a thread of its own, not in somebody's asynchronous code.
    pub(super) fn run<T>(&self, task: impl Future<Output = std::result::Result<T, Failure>>) -> std::result::Result<T, Failure> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(task),
            None => Err(Failure::transient("the connection is closed")),
        }
    }

    /// A failure as an error that says which repository and what to do.
    pub(super) fn error(&self, failure: Failure, repo: &str, revision: &str, file: Option<&str>) -> Error {
        let place = file.map_or_else(|| repo.to_owned(), |file| format!("{repo}: {file}"));
        let (endpoint, message) = (&self.endpoint, &failure.message);
        let token = if self.has_token { "the token at hand may not open it" } else { "set HF_TOKEN if it is private" };
        let text = match failure.cause {
            Cause::Repository => format!("neither a folder here nor a model on {endpoint}: check the name; {token}"),
            Cause::Revision => format!("there is no revision {revision} on {endpoint}"),
            Cause::Entry => format!("there is no such file at revision {revision}"),
            Cause::Gated => format!("access must be asked for at {endpoint}/{repo}, and HF_TOKEN set to a token that has it ({message})"),
            Cause::Unauthorized if self.has_token => format!("the token at hand does not open it: check HF_TOKEN ({message})"),
            Cause::Unauthorized => format!("needs a token: set HF_TOKEN ({message})"),
            Cause::Transient | Cause::Unreachable => format!("cannot be had from {endpoint}: {message}; check the network and try again"),
            Cause::Malformed | Cause::Disk => message.clone(),
        };
        Error::new(failure.kind(), format!("{place}: {text}")).caused_by(failure)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // An ordinary drop would panic inside somebody's asynchronous code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tries again after errors that may pass, with growing pauses or the one that the server asks for.
pub(super) fn retry<T>(attempts: u32, mut attempt: impl FnMut() -> std::result::Result<T, Failure>) -> std::result::Result<T, Failure> {
    let mut tried = 1;
    loop {
        match attempt() {
            Err(failure) if tried < attempts && pause(&failure, tried) => tried += 1,
            other => return other,
        }
    }
}

/// Waits before the next try; says no when that would not help.
pub(super) fn pause(failure: &Failure, tried: u32) -> bool {
    let wait = failure.wait.unwrap_or_else(|| LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(tried.saturating_sub(1))));
    let worth_it = match failure.cause {
        Cause::Transient => wait <= LONGEST_WAIT,
        Cause::Unreachable => tried < CONNECTION_ATTEMPTS,
        _ => false,
    };
    if worth_it {
        tracing::debug!("{failure}; trying again in {wait:?}");
        thread::sleep(wait);
    }
    worth_it
}

/// Asks on a thread of its own: the caller may be in asynchronous code.
fn on_a_thread<T: Send>(ask: impl FnOnce() -> std::result::Result<T, Failure> + Send) -> std::result::Result<T, Failure> {
    apart(ask).unwrap_or_else(|problem| Err(Failure::new(Cause::Malformed, format!("the Hub was not asked: {problem}"))))
}

//! Bytes from the Hub into a file, going on where a broken connection left off.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode, Url};

use super::{
    Progress,
    digest::Hasher,
    failure::{Cause, Failure, with_causes},
    http::text,
    remote::{ATTEMPTS, Remote, pause},
};

/// Connections for one file, however many bytes each brings.
const MAX_CONNECTIONS: u32 = 200;
/// A connection that brings less than this brought nothing.
const PROGRESS: u64 = 16 << 10;
/// What a file of which nothing says how large it is may have.
const MAX_UNANNOUNCED: u64 = 256 << 20;
/// What stands where a server hands out the notes of Git LFS in place of its files.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// One file on its way.
pub(super) struct Transfer<'a> {
    pub(super) remote: &'a Remote,
    pub(super) url: Url,
    pub(super) file: &'a str,
    pub(super) size: Option<u64>,
    /// The hash that the content must have, in the form of a blob name.
    pub(super) hash: Option<&'a str>,
    pub(super) progress: Option<&'a dyn Progress>,
}

impl Transfer<'_> {
    /// Brings the whole content into a file, after what is there of it already, and checks it.
    pub(super) fn run(&self, part: &Path) -> Result<(), Failure> {
        self.receive(part)?;
        if self.verify(part)? {
            return no_pointer(part);
        }
        // A remainder of an earlier download may have been the culprit: once more from the beginning.
        discard(part)?;
        self.receive(part)?;
        if self.verify(part)? {
            return no_pointer(part);
        }
        discard(part)?;
        Err(Failure::new(Cause::Malformed, "the content that the Hub sent does not have the hash that it announced; try again"))
    }

    fn receive(&self, part: &Path) -> Result<(), Failure> {
        let mut tried = 0;
        for _ in 0..MAX_CONNECTIONS {
            let have = length(part)?;
            if self.size.is_some_and(|size| have > size) {
                discard(part)?;
                continue;
            }
            if let Some(progress) = self.progress {
                progress.start(self.file, have, self.size);
            }
            if have > 0 && self.size == Some(have) {
                return Ok(());
            }
            let Err(failure) = self.remote.run(self.stream(part, have)) else { return Ok(()) };
            if length(part)? > have.saturating_add(PROGRESS) {
                tried = 0;
            }
            tried += 1;
            if tried >= ATTEMPTS || !pause(&failure, tried) {
                return Err(failure);
            }
        }
        Err(Failure::transient("the connection breaks again and again"))
    }

    /// One connection's worth.
    async fn stream(&self, part: &Path, have: u64) -> Result<(), Failure> {
        let mut response = self.remote.http.content(self.url.clone(), have).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            discard(part)?;
            return Err(Failure::transient("the Hub does not know the rest of the file"));
        }
        let (from, announced) = extent(&response)?;
        if let (Some(size), Some(announced)) = (self.size, announced)
            && size != announced
        {
            discard(part)?;
            return Err(Failure::new(Cause::Malformed, format!("announced with {size} bytes, but {announced} are sent")));
        }
        if from != have && from != 0 {
            return Err(Failure::new(Cause::Malformed, format!("asked for what follows byte {have} and got what follows byte {from}")));
        }
        let disk = |error: io::Error| out_of_disk(part, &error);
        let mut out = File::options().create(true).append(true).open(part).map_err(disk)?;
        if from != have {
            // The server sends everything again.
            out.set_len(0).map_err(disk)?;
            if let Some(progress) = self.progress {
                progress.start(self.file, 0, self.size);
            }
        }
        let size = self.size.or(announced);
        let mut pace = Pace::new(Instant::now());
        let mut done = from;
        loop {
            let chunk = response.chunk().await.map_err(|error| {
                let of = size.map(|size| format!(" of {size}")).unwrap_or_default();
                Failure::transient(format!("the connection broke after {done}{of} bytes: {}", with_causes(&error.without_url())))
            })?;
            let Some(chunk) = chunk else { break };
            done += chunk.len() as u64;
            if size.is_some_and(|size| done > size) {
                discard(part)?;
                return Err(Failure::new(Cause::Malformed, "more bytes are sent than were announced"));
            }
            if size.is_none() && done > MAX_UNANNOUNCED {
                discard(part)?;
                let message = format!("more than {} MB are sent of a file of which nothing says how large it is", MAX_UNANNOUNCED >> 20);
                return Err(Failure::new(Cause::Malformed, message));
            }
            if !pace.keeps(chunk.len() as u64, Instant::now()) {
                return Err(Failure::transient(format!("the connection brings less than a byte in a millisecond, after {done} bytes")));
            }
            out.write_all(&chunk).map_err(disk)?;
            if let Some(progress) = self.progress {
                progress.advance(self.file, chunk.len() as u64);
            }
        }
        match size {
            Some(size) if done != size => Err(Failure::transient(format!("the connection ended after {done} of {size} bytes"))),
            _ => out.sync_data().map_err(disk),
        }
    }

    fn verify(&self, part: &Path) -> Result<bool, Failure> {
        let Some(hash) = self.hash else { return Ok(true) };
        let Some(mut hasher) = Hasher::for_name(hash, length(part)?) else { return Ok(true) };
        hasher.update_from(part).map_err(|error| Failure::disk(part, &error))?;
        Ok(hasher.matches(hash))
    }
}

/// How fast a connection is: one that is not silent may still never end.
struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// How long is looked at.
    const WINDOW: Duration = Duration::from_secs(60);
    /// What must come in that time.
    const LEAST: u64 = 60_000;

    fn new(since: Instant) -> Self {
        Self { since, bytes: 0 }
    }

    /// Takes what came, and says whether it is enough.
    fn keeps(&mut self, bytes: u64, now: Instant) -> bool {
        self.bytes += bytes;
        if now.duration_since(self.since) < Self::WINDOW {
            return true;
        }
        let enough = self.bytes >= Self::LEAST;
        *self = Self::new(now);
        enough
    }
}

/// Looks whether a file is only the note that Git LFS keeps of it.
fn no_pointer(part: &Path) -> Result<(), Failure> {
    let mut start = [0; LFS_POINTER.len()];
    let read = File::open(part).and_then(|mut file| file.read_exact(&mut start));
    if read.is_err() || start != LFS_POINTER {
        return Ok(());
    }
    discard(part)?;
    Err(Failure::new(
        Cause::Malformed,
        "a Git LFS pointer came in place of the file: this address does not hand out large files; see HF_ENDPOINT",
    ))
}

/// Where an answer's content begins and how long the whole file is.
fn extent(response: &Response) -> Result<(u64, Option<u64>), Failure> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok((0, response.content_length()));
    }
    let range = || {
        let (range, total) = text(response, "content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
        Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
    };
    range().ok_or_else(|| Failure::new(Cause::Malformed, "a part of the file, without saying which"))
}

fn length(part: &Path) -> Result<u64, Failure> {
    match fs::metadata(part) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Failure::disk(part, &error)),
    }
}

fn discard(part: &Path) -> Result<(), Failure> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::disk(part, &error)),
        _ => Ok(()),
    }
}

fn out_of_disk(part: &Path, error: &io::Error) -> Failure {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        // What cannot be finished should not fill the disk.
        drop(fs::remove_file(part));
    }
    Failure::disk(part, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_must_keep_a_pace() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        // A byte in a while is never silence, and never an end.
        assert!((1..60).all(|second| pace.keeps(1, at(second))));
        assert!(!pace.keeps(1, at(60)));
        // A second one begins anew, and what is fast enough in all may pause.
        assert!(pace.keeps(60_000, at(61)) && pace.keeps(0, at(120)) && pace.keeps(1, at(179)) && !pace.keeps(1, at(180)));
    }
}

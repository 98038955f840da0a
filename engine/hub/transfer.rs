//! Bytes from the Hub into a file, going on where a broken connection left off.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use reqwest::{Response, StatusCode, Url};

use super::{
    Progress,
    digest::Hasher,
    http::{Cause, Failure, text},
    remote::{ATTEMPTS, Remote, pause},
};

/// Connections for one file, however many bytes each brings.
const MAX_CONNECTIONS: u32 = 200;

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
            return Ok(());
        }
        // A remainder of an earlier download may have been the culprit: once more from the beginning.
        discard(part)?;
        self.receive(part)?;
        if self.verify(part)? {
            return Ok(());
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
            if length(part)? > have {
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
        let mut done = from;
        loop {
            let chunk = response.chunk().await.map_err(|error| {
                let of = size.map(|size| format!(" of {size}")).unwrap_or_default();
                Failure::transient(format!(
                    "the connection broke after {done}{of} bytes: {}",
                    super::http::with_causes(&error.without_url())
                ))
            })?;
            let Some(chunk) = chunk else { break };
            done += chunk.len() as u64;
            if size.is_some_and(|size| done > size) {
                discard(part)?;
                return Err(Failure::new(Cause::Malformed, "more bytes are sent than were announced"));
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

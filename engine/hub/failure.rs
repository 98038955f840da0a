//! Why a request to the Hub failed.

use std::{fmt, time::Duration};

use reqwest::StatusCode;

use crate::ErrorKind;

/// Why a request failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) message: String,
    /// How long the server asks to wait.
    pub(super) wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Repository,
    Revision,
    Entry,
    Gated,
    Unauthorized,
    /// Too many requests, a server in trouble, a connection that broke: may go better next time.
    Transient,
    /// No connection at all.
    Unreachable,
    /// An answer that makes no sense.
    Malformed,
    /// This machine's disk.
    Disk,
}

impl Failure {
    pub(super) fn new(cause: Cause, message: impl fmt::Display) -> Self {
        Self { cause, message: message.to_string(), wait: None }
    }

    pub(super) fn transient(error: impl fmt::Display) -> Self {
        Self::new(Cause::Transient, error)
    }

    pub(super) fn disk(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Cause::Disk, format!("{}: {error}", path.display()))
    }

    /// Whether the Hub could not be asked, or was in trouble.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.cause, Cause::Transient | Cause::Unreachable)
    }

    pub(super) fn is_missing_revision(&self) -> bool {
        self.cause == Cause::Revision
    }

    pub(super) fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::Repository | Cause::Revision | Cause::Entry => ErrorKind::NotFound,
            Cause::Gated | Cause::Unauthorized => ErrorKind::Unauthorized,
            Cause::Transient | Cause::Unreachable | Cause::Malformed => ErrorKind::Network,
            Cause::Disk => ErrorKind::Io,
        }
    }

    /// The failure that a status means; `missing` is what a bare 404 means.
    pub(super) fn of_status(status: StatusCode, code: Option<&str>, said: Option<&str>, missing: Cause) -> Self {
        let cause = match (status.as_u16(), code) {
            (_, Some("RepoNotFound")) => Cause::Repository,
            (_, Some("RevisionNotFound")) => Cause::Revision,
            (_, Some("EntryNotFound")) => Cause::Entry,
            (_, Some("GatedRepo")) => Cause::Gated,
            (401 | 403, _) => Cause::Unauthorized,
            (404 | 410, _) => missing,
            (408 | 429 | 500 | 502 | 503 | 504, _) => Cause::Transient,
            _ => Cause::Malformed,
        };
        let said = said.map(|said| format!(": {}", said.chars().take(300).collect::<String>())).unwrap_or_default();
        Self::new(cause, format!("the Hub answered {status}{said}"))
    }

    pub(super) fn of_request(error: &reqwest::Error) -> Self {
        let cause = match error {
            error if error.is_connect() => Cause::Unreachable,
            error if error.is_builder() => Cause::Malformed,
            _ => Cause::Transient,
        };
        Self::new(cause, with_causes(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error with everything below it: reqwest's own words alone say too little.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

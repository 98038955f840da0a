//! Requests for files, with the headers by which the Hub describes them.
//!
//! `hf-hub` follows redirects before it looks at a file's headers and so loses them, and takes any answer for the file; here
//! redirects are walked one by one and every answer is checked.

use std::{fmt, time::Duration};

use reqwest::{Method, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;

use super::name;
use crate::{Error, ErrorKind, Result};

/// Far more than any page of the API has.
const MAX_JSON: usize = 32 << 20;
const MAX_REDIRECTS: usize = 10;
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const USER_AGENT: &str = concat!("formers/", env!("CARGO_PKG_VERSION"));

/// Requests to one Hub.
pub(super) struct Http {
    client: reqwest::Client,
    endpoint: Url,
    token: Option<String>,
}

/// What the headers say about a file.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) etag: Option<String>,
    pub(super) size: Option<u64>,
}

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
            error if error.is_decode() || error.is_builder() => Cause::Malformed,
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

/// The beginnings of a client for an address.
pub(super) fn client(url: &Url) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).user_agent(USER_AGENT);
    if is_here(url) { client.no_proxy() } else { client }
}

/// Whether an address is on this machine, which no proxy can reach.
pub(super) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Http {
    pub(super) fn new(endpoint: &str, token: Option<String>) -> Result<Self> {
        let endpoint = Url::parse(endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::request("endpoint", format!("{endpoint:?} is no http(s) address; see HF_ENDPOINT")))?;
        let client = client(&endpoint).redirect(reqwest::redirect::Policy::none()).read_timeout(READ_TIMEOUT);
        let client = client.build().map_err(|error| Error::new(ErrorKind::Network, with_causes(&error)))?;
        Ok(Self { client, endpoint, token })
    }

    /// The address of the Hub.
    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The address of a file at a commit.
    pub(super) fn address(&self, repo: &str, commit: &str, file: &str) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(repo.split('/')).push("resolve").push(commit).extend(file.split('/'));
        }
        url
    }

    /// The address of a commit's listing.
    pub(super) fn tree(&self, repo: &str, commit: &str) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "models"]).extend(repo.split('/')).extend(["tree", commit]);
        }
        url.query_pairs_mut().append_pair("recursive", "true");
        url
    }

    /// A page of the API, and where the next one is.
    pub(super) async fn page<T: DeserializeOwned>(&self, url: Url) -> std::result::Result<(T, Option<Url>), Failure> {
        let mut response = self.content(url.clone(), 0).await?;
        let next = text(&response, "link").and_then(next_page).and_then(|next| url.join(next).ok());
        // Where pages lead is up to the server, but not away from it.
        let next = next.filter(|next| next.origin() == self.endpoint.origin());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::of_request(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_JSON {
                return Err(Failure::new(Cause::Malformed, "an answer that is far too long"));
            }
        }
        serde_json::from_slice(&body).map(|page| (page, next)).map_err(|error| Failure::new(Cause::Malformed, error))
    }

    /// What the Hub says about a file.
    pub(super) async fn describe(&self, url: Url) -> std::result::Result<Description, Failure> {
        let (mut description, response) = self.walk(Method::HEAD, url, 0).await?;
        if let Some(response) = response {
            description.etag = description.etag.or_else(|| text(&response, "etag").and_then(name::etag));
            description.size = description.size.or_else(|| text(&response, "content-length")?.parse().ok());
        }
        Ok(description)
    }

    /// The content of a file from a byte on.
    pub(super) async fn content(&self, url: Url, from: u64) -> std::result::Result<Response, Failure> {
        let (_, response) = self.walk(Method::GET, url, from).await?;
        response.ok_or_else(|| Failure::new(Cause::Malformed, "a redirect that leads nowhere"))
    }

    /// Follows redirects. Where a description is all that is wanted, it ends when the Hub hands over to another host.
    async fn walk(&self, method: Method, mut url: Url, from: u64) -> std::result::Result<(Description, Option<Response>), Failure> {
        let mut description = Description::default();
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(method.clone(), url.clone(), from).await?;
            description.etag = description.etag.or_else(|| text(&response, "x-linked-etag").and_then(name::etag));
            description.size = description.size.or_else(|| text(&response, "x-linked-size")?.parse().ok());
            if !response.status().is_redirection() {
                return checked(response).map(|response| (description, Some(response)));
            }
            let next = text(&response, "location").and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| Failure::new(Cause::Malformed, "a redirect without an address"))?;
            if !matches!(next.scheme(), "http" | "https") || url.scheme() == "https" && next.scheme() == "http" {
                return Err(Failure::new(Cause::Malformed, format!("a redirect to {}, which is not secure", next.scheme())));
            }
            if method == Method::HEAD && next.origin() != self.endpoint.origin() {
                description.etag = description.etag.or_else(|| text(&response, "etag").and_then(name::etag));
                if description.etag.is_some() {
                    return Ok((description, None));
                }
            }
            url = next;
        }
        Err(Failure::new(Cause::Malformed, "too many redirects"))
    }

    async fn send(&self, method: Method, url: Url, from: u64) -> std::result::Result<Response, Failure> {
        // The token is for the Hub alone, not for the storage it points to.
        let token = self.token.as_ref().filter(|_| url.origin() == self.endpoint.origin());
        // Compressed content would hide its size and could not be resumed.
        let mut request = self.client.request(method, url).header(header::ACCEPT_ENCODING, "identity");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        request.send().await.map_err(|error| Failure::of_request(&error.without_url()))
    }
}

/// The address in `<address>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    next.trim().strip_prefix('<')?.split('>').next()
}

fn checked(response: Response) -> std::result::Result<Response, Failure> {
    let status = response.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let failure = Failure::of_status(status, text(&response, "x-error-code"), text(&response, "x-error-message"), Cause::Entry);
    Err(Failure { wait: wait(&response), ..failure })
}

/// How long an answer asks to wait: `Retry-After` in seconds, or the Hub's own `RateLimit: "…";r=0;t=…`.
fn wait(response: &Response) -> Option<Duration> {
    let seconds = text(response, "retry-after").and_then(|value| value.trim().parse().ok());
    let limit = || text(response, "ratelimit")?.split(';').find_map(|part| part.trim().strip_prefix("t=")?.parse().ok());
    seconds.or_else(limit).map(Duration::from_secs)
}

pub(super) fn text<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

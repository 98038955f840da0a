//! Requests to the Hub: its API, and files with the headers by which the Hub describes them. Redirects are walked one by one, since the
//! headers of each say something, every answer is checked, and none is waited for or read without end.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;

use super::{
    failure::{Cause, Failure, with_causes},
    name,
};
use crate::{Error, ErrorKind, Result};

/// Far more than any page of the API has.
const MAX_JSON: usize = 32 << 20;
const MAX_REDIRECTS: usize = 10;
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long answers are waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// The longest silence before an answer, or in the middle of one.
    pub(super) silence: Duration,
    /// How long a page of the API or the description of a file may take in all, however little comes of it at a time.
    pub(super) whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), whole: Duration::from_secs(60) }
    }
}
pub(super) const USER_AGENT: &str = concat!("formers/", env!("CARGO_PKG_VERSION"));

/// Requests to one Hub.
pub(super) struct Http {
    client: reqwest::Client,
    endpoint: Url,
    token: Option<String>,
    patience: Patience,
}

/// A page of the API.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) content: T,
    /// How many bytes it has.
    pub(super) bytes: usize,
    /// Where the next one is.
    pub(super) next: Option<Url>,
}

/// What the headers say about a file.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) etag: Option<String>,
    pub(super) size: Option<u64>,
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
    pub(super) fn new(endpoint: &str, token: Option<String>, patience: Patience) -> Result<Self> {
        let endpoint = Url::parse(endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::request("endpoint", format!("{endpoint:?} is no http(s) address; see HF_ENDPOINT")))?;
        let client = client(&endpoint).redirect(reqwest::redirect::Policy::none()).read_timeout(patience.silence);
        let client = client.build().map_err(|error| Error::new(ErrorKind::Network, with_causes(&error)))?;
        Ok(Self { client, endpoint, token, patience })
    }

    /// The address of a file at a commit.
    pub(super) fn address(&self, repo: &str, commit: &str, file: &str) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(repo.split('/')).push("resolve").push(commit).extend(file.split('/'));
        }
        url
    }

    /// The address of what the API says about a revision.
    pub(super) fn revision(&self, repo: &str, revision: &str) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "models"]).extend(repo.split('/')).extend(["revision", revision]);
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

    /// A page of the API; `missing` is what it means that there is none.
    pub(super) async fn page<T: DeserializeOwned>(&self, url: Url, missing: Cause) -> std::result::Result<Page<T>, Failure> {
        in_time(self.patience.whole, self.read_page(url, missing)).await
    }

    async fn read_page<T: DeserializeOwned>(&self, url: Url, missing: Cause) -> std::result::Result<Page<T>, Failure> {
        let (_, response) = self.walk(Method::GET, url.clone(), 0, missing).await?;
        let mut response = response.ok_or_else(nowhere)?;
        let next = text(&response, "link").and_then(next_page).and_then(|next| url.join(next).ok());
        // Where pages lead is up to the server, but not away from it.
        let next = next.filter(|next| next.origin() == self.endpoint.origin());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::of_request(&error.without_url()))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_JSON {
                return Err(Failure::new(Cause::Malformed, "an answer that is far too long"));
            }
        }
        let content = serde_json::from_slice(&body);
        let content = content.map_err(|error| Failure::new(Cause::Malformed, format!("an answer that makes no sense: {error}")))?;
        Ok(Page { content, bytes: body.len(), next })
    }

    /// What the Hub says about a file.
    pub(super) async fn describe(&self, url: Url) -> std::result::Result<Description, Failure> {
        let (mut description, response) = in_time(self.patience.whole, self.walk(Method::HEAD, url, 0, Cause::Entry)).await?;
        if let Some(response) = response {
            description.etag = description.etag.or_else(|| text(&response, "etag").and_then(name::etag));
            description.size = description.size.or_else(|| text(&response, "content-length")?.parse().ok());
        }
        Ok(description)
    }

    /// The content of a file from a byte on.
    pub(super) async fn content(&self, url: Url, from: u64) -> std::result::Result<Response, Failure> {
        let (_, response) = self.walk(Method::GET, url, from, Cause::Entry).await?;
        response.ok_or_else(nowhere)
    }

    /// Follows redirects. Where a description is all that is wanted, it ends when the Hub hands over to another host.
    async fn walk(
        &self,
        method: Method,
        mut url: Url,
        from: u64,
        missing: Cause,
    ) -> std::result::Result<(Description, Option<Response>), Failure> {
        let mut description = Description::default();
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(method.clone(), url.clone(), from).await?;
            description.etag = description.etag.or_else(|| text(&response, "x-linked-etag").and_then(name::etag));
            description.size = description.size.or_else(|| text(&response, "x-linked-size")?.parse().ok());
            if !response.status().is_redirection() {
                return checked(response, missing).map(|response| (description, Some(response)));
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

/// Waits for an answer, but not for ever.
pub(super) async fn in_time<T>(
    whole: Duration,
    answer: impl Future<Output = std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    let late = |_| Err(Failure::transient(format!("no whole answer within {whole:?}")));
    tokio::time::timeout(whole, answer).await.unwrap_or_else(late)
}

fn nowhere() -> Failure {
    Failure::new(Cause::Malformed, "a redirect that leads nowhere")
}

fn checked(response: Response, missing: Cause) -> std::result::Result<Response, Failure> {
    let status = response.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let failure = Failure::of_status(status, text(&response, "x-error-code"), text(&response, "x-error-message"), missing);
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// A server that says something, and goes on with a part of it for ever, with pauses.
    fn endless(first: &'static str, more: &'static str, pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                std::thread::spawn(move || {
                    let mut connection = connection.unwrap();
                    let _ = connection.read(&mut [0; 4000]);
                    let mut sent = connection.write_all(first.as_bytes());
                    while sent.is_ok() {
                        std::thread::sleep(pause);
                        sent = connection.write_all(more.as_bytes());
                    }
                });
            }
        });
        endpoint
    }

    #[test]
    fn every_answer_has_an_end() {
        let patience = Patience { silence: Duration::from_millis(400), whole: Duration::from_millis(900) };
        let soon = Duration::from_millis(20);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cases = [
            ("", "", Duration::from_secs(2), Cause::Transient),
            ("HTTP/1.1 200 OK\r\n\r\n[", " ", soon, Cause::Transient),
            ("HTTP/1.1 200 OK\r\n\r\n[", "", Duration::from_secs(2), Cause::Transient),
            ("HTTP/1.1 200 OK\r\n", "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", Duration::ZERO, Cause::Transient),
            (
                "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
                "",
                Duration::from_secs(2),
                Cause::Malformed,
            ),
        ];
        for (first, more, pause, cause) in cases {
            let http = Http::new(&endless(first, more, pause), None, patience).unwrap();
            let before = Instant::now();
            let url = http.tree("a/b", "c");
            let page = runtime.block_on(http.page::<Vec<u8>>(url.clone(), Cause::Entry)).unwrap_err();
            assert_eq!(page.cause, cause, "{first:?}: {page}");
            let described = runtime.block_on(http.describe(url));
            assert!(described.is_err() || first.contains("\r\n\r\n"), "{first:?}: {described:?}");
            assert!(before.elapsed() < Duration::from_millis(1900), "{first:?}: {:?}", before.elapsed());
        }
    }
}

//! Pictures and sounds at http(s) addresses.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use super::{apart::apart, failure, http};
use crate::{Error, ErrorKind, Result};

/// How long a server may be silent, where the caller does not say.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a download may take in all, also where little comes at a time.
const WHOLE: Duration = Duration::from_secs(600);

/// The content at an http(s) address, up to a size. May be called from asynchronous code, which it blocks. A server may be silent for
/// 30 seconds, and take ten minutes in all.
///
/// # Errors
/// When the address is none, the server does not answer well or in time, or the content is larger than `limit` bytes.
pub fn download_bytes(url: &str, limit: u64) -> Result<Vec<u8>> {
    download_bytes_within(url, limit, None)
}

/// As [`download_bytes`], from a server that may be silent for `timeout`: while connecting, before its answer, and between any two parts of
/// that. So Python's `timeout` counts. In all it may take ten minutes, or `timeout` where that is longer.
///
/// # Errors
/// As [`download_bytes`].
pub fn download_bytes_within(url: &str, limit: u64, timeout: Option<Duration>) -> Result<Vec<u8>> {
    let whole = WHOLE.max(timeout.unwrap_or_default());
    // reqwest's blocking client must not run on a thread of an asynchronous runtime.
    let downloaded = apart(|| download(url, limit, timeout, whole));
    downloaded.unwrap_or_else(|problem| Err(Error::new(ErrorKind::Network, format!("{url}: {problem}"))))
}

fn download(url: &str, limit: u64, timeout: Option<Duration>, whole: Duration) -> Result<Vec<u8>> {
    let end = Instant::now().checked_add(whole);
    let silence = timeout.unwrap_or(SILENCE);
    let network = |error: reqwest::Error| {
        let kind = if error.is_builder() { ErrorKind::Request } else { ErrorKind::Network };
        let late = if error.is_timeout() { format!("no answer within {silence:?}: ") } else { String::new() };
        Error::new(kind, format!("{url}: {late}{}", failure::with_causes(&error.without_url())))
    };
    let too_large = || Error::new(ErrorKind::Media, format!("{url}: larger than {limit} bytes"));
    let connect = timeout.unwrap_or(http::CONNECT_TIMEOUT);
    // The blocking client's timeout counts for each wait, not for all of them together.
    let client = reqwest::blocking::Client::builder().connect_timeout(connect).timeout(silence).user_agent(http::USER_AGENT);
    let here = reqwest::Url::parse(url).is_ok_and(|url| http::is_here(&url));
    let client = if here { client.no_proxy() } else { client };
    // It has a thread of its own, which the system may refuse.
    let client = client.build().map_err(|error| Error::new(ErrorKind::Io, format!("{url}: {}", failure::with_causes(&error))))?;
    let mut response = client.get(url).send().map_err(network)?;
    if !response.status().is_success() {
        let kind = if response.status().as_u16() == 404 { ErrorKind::NotFound } else { ErrorKind::Network };
        return Err(Error::new(kind, format!("{url}: the server answered {}", response.status())));
    }
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    read_whole(&mut response, limit, end).map_err(|unread| match unread {
        Unread::TooLarge => too_large(),
        Unread::Late => Error::new(ErrorKind::Network, format!("{url}: not all there after {whole:?}")),
        Unread::Broken(error) => {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
            let late = if cause.is_some_and(reqwest::Error::is_timeout) { format!("silent for {silence:?}: ") } else { String::new() };
            Error::new(ErrorKind::Network, format!("{url}: {late}{}", failure::with_causes(&error)))
        }
    })
}

/// Why an answer was not read.
pub(super) enum Unread {
    TooLarge,
    Late,
    Broken(std::io::Error),
}

/// All of an answer, up to a size and a time.
pub(super) fn read_whole(answer: &mut impl Read, limit: u64, end: Option<Instant>) -> std::result::Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let mut part = vec![0; 1 << 16];
    loop {
        let read = answer.read(&mut part).map_err(Unread::Broken)?;
        bytes.extend_from_slice(part.get(..read).unwrap_or_default());
        if bytes.len() as u64 > limit {
            return Err(Unread::TooLarge);
        }
        if read == 0 {
            return Ok(bytes);
        }
        if end.is_some_and(|end| Instant::now() > end) {
            return Err(Unread::Late);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that sends a byte in a while, for ever.
    fn dripping(pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x.png", listener.local_addr().unwrap());
        thread::spawn(move || {
            for connection in listener.incoming() {
                thread::spawn(move || {
                    let mut connection = connection.unwrap();
                    let _ = connection.read(&mut [0; 1000]);
                    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
                    while connection.write_all(b"x").is_ok() {
                        thread::sleep(pause);
                    }
                });
            }
        });
        url
    }

    #[test]
    fn what_drips_ends_as_well() {
        let url = dripping(Duration::from_millis(20));
        let before = Instant::now();
        let error = download(&url, 1 << 20, Some(Duration::from_millis(300)), Duration::from_millis(600)).unwrap_err();
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains("not all there"), "{error}");
        assert!((600..5000).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
        // Longer pauses are silence.
        let url = dripping(Duration::from_secs(3));
        let before = Instant::now();
        let error = download_bytes_within(&url, 1 << 20, Some(Duration::from_millis(200))).unwrap_err();
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains("silent for 200ms"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
    }
}

//! Pictures and sounds at http(s) addresses.

use std::{thread, time::Duration};

use super::http;
use crate::{Error, ErrorKind, Result};

const TIMEOUT: Duration = Duration::from_secs(120);

/// The content at an http(s) address, up to a size. May be called from asynchronous code, which it blocks.
///
/// # Errors
/// When the address is none, the server does not answer well or in time, or the content is larger than `limit` bytes.
pub fn download_bytes(url: &str, limit: u64) -> Result<Vec<u8>> {
    // reqwest's blocking client must not run on a thread of an asynchronous runtime.
    let downloaded = thread::scope(|scope| scope.spawn(|| download(url, limit)).join());
    downloaded.unwrap_or_else(|_| Err(Error::new(ErrorKind::Network, format!("{url}: the download broke off"))))
}

fn download(url: &str, limit: u64) -> Result<Vec<u8>> {
    use std::io::Read;

    let network = |error: reqwest::Error| {
        let kind = if error.is_builder() { ErrorKind::Request } else { ErrorKind::Network };
        Error::new(kind, format!("{url}: {}", http::with_causes(&error.without_url())))
    };
    let too_large = || Error::new(ErrorKind::Media, format!("{url}: larger than {limit} bytes"));
    let client = reqwest::blocking::Client::builder().connect_timeout(http::CONNECT_TIMEOUT).timeout(TIMEOUT).user_agent(http::USER_AGENT);
    let here = reqwest::Url::parse(url).is_ok_and(|url| http::is_here(&url));
    let client = if here { client.no_proxy() } else { client };
    let response = client.build().and_then(|client| client.get(url).send()).map_err(network)?;
    if !response.status().is_success() {
        let kind = if response.status().as_u16() == 404 { ErrorKind::NotFound } else { ErrorKind::Network };
        return Err(Error::new(kind, format!("{url}: the server answered {}", response.status())));
    }
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let read = response.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Error::new(ErrorKind::Network, format!("{url}: {}", http::with_causes(&error))))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

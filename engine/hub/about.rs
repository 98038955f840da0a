//! What the Hub says of a model beside its files: whether it is gated, private, and for which task.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Options,
    apart::apart,
    environment::Settings,
    failure::with_causes,
    http,
    media::{Unread, read_whole},
    name,
};

/// An answer larger than this is none.
const MAX_ANSWER: u64 = 8 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the Hub says of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// `auto` or `manual` where access must be asked for, by who grants it; `None` where everybody has it.
    #[serde(deserialize_with = "gate", default)]
    pub gated: Option<String>,
    /// Whether only its owners see it.
    #[serde(default)]
    pub private: bool,
    /// The task that it is for.
    #[serde(default)]
    pub pipeline_tag: Option<String>,
    /// The library that it was made with.
    #[serde(default)]
    pub library_name: Option<String>,
}

/// Asks the Hub about a model, once; `None` for a folder, and where the network is off limits.
///
/// # Errors
/// In words, where the Hub does not answer.
pub fn about(model: &str, options: &Options) -> Result<Option<About>, String> {
    let network = Settings::of_process(options).network;
    let Some((repo, _)) = name::in_repo(model).filter(|_| !network.offline && !Path::new(model).is_dir()) else { return Ok(None) };
    let url = format!("{}/api/models/{repo}", network.endpoint);
    // reqwest's blocking client must not run on a thread of an asynchronous runtime.
    apart(|| ask(&url, network.token.as_deref()))?.map(Some)
}

fn ask(url: &str, token: Option<&str>) -> Result<About, String> {
    let address = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).user_agent(http::USER_AGENT);
    let client = if http::is_here(&address) { client.no_proxy() } else { client };
    let failed = |error: reqwest::Error| with_causes(&error.without_url());
    let request = client.build().map_err(failed)?.get(address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let end = Instant::now().checked_add(TIMEOUT);
    let mut answer = request.send().and_then(reqwest::blocking::Response::error_for_status).map_err(failed)?;
    let bytes = read_whole(&mut answer, MAX_ANSWER, end).map_err(|unread| match unread {
        Unread::TooLarge => "an answer that is far too long".to_owned(),
        Unread::Late => format!("no whole answer within {TIMEOUT:?}"),
        Unread::Broken(error) => with_causes(&error),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| format!("an answer that makes no sense: {error}"))
}

/// `false`, or who grants access.
fn gate<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::String(gate) => Some(gate),
        Value::Bool(true) => Some("auto".to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates() {
        let of = |text: &str| serde_json::from_str::<About>(text).unwrap();
        assert_eq!(of(r#"{"gated": "manual", "private": true, "sha": "x"}"#).gated.as_deref(), Some("manual"));
        assert_eq!(of(r#"{"gated": false, "pipeline_tag": "fill-mask"}"#).gated, None);
        assert_eq!(of("{}"), About { gated: None, private: false, pipeline_tag: None, library_name: None });
    }
}

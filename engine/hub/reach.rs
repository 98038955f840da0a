//! Whether the Hub can be reached, and with which token.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Options, apart::apart, environment::Settings};

/// How the Hub can be reached.
#[derive(Debug, Clone, Serialize)]
pub struct Reach {
    /// The address of the Hub.
    pub endpoint: String,
    /// The cache of downloads.
    pub cache: std::path::PathBuf,
    /// Whether the network is off limits, or this program has no access to it; then nothing else was tried.
    pub offline: bool,
    /// Whether there is an access token.
    pub token: bool,
    /// How long the Hub took to answer, in seconds; `None` where it did not.
    pub seconds: Option<f64>,
    /// What is wrong, and what to do about it.
    pub problem: Option<String>,
}

/// Asks the Hub who the token belongs to: a short question, which it answers without a token as well. Waits for five seconds
/// at most, and never fails: what is wrong is in the answer.
pub fn reach(options: &Options) -> Reach {
    let settings = Settings::of_process(options);
    let network = settings.network;
    let mut reach = Reach {
        token: network.token.is_some(),
        endpoint: network.endpoint,
        cache: settings.cache,
        offline: network.offline,
        seconds: None,
        problem: None,
    };
    if reach.offline {
        return reach;
    }
    let start = Instant::now();
    let url = format!("{}/api/whoami-v2", reach.endpoint);
    // reqwest's blocking client must not run on a thread of an asynchronous runtime.
    let asked = apart(|| ask(&url, network.token.as_deref()));
    let advice = "check the network, HTTPS_PROXY and HF_ENDPOINT; --offline and HF_HUB_OFFLINE=1 do without";
    match asked.and_then(|asked| asked) {
        Ok(status) => {
            reach.seconds = Some(start.elapsed().as_secs_f64());
            if reach.token && matches!(status, 401 | 403) {
                reach.problem = Some(format!("{}: the Hub does not know the token: check HF_TOKEN, or the saved one", reach.endpoint));
            } else if status >= 500 {
                reach.problem = Some(format!("{}: the Hub answered {status}; try again later", reach.endpoint));
            }
        }
        Err(problem) => reach.problem = Some(format!("{}: {problem}; {advice}", reach.endpoint)),
    }
    reach
}

fn ask(url: &str, token: Option<&str>) -> Result<u16, String> {
    const TIMEOUT: Duration = Duration::from_secs(5);
    let address = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).user_agent(super::http::USER_AGENT);
    let client = if super::http::is_here(&address) { client.no_proxy() } else { client };
    let failed = |error: reqwest::Error| super::failure::with_causes(&error.without_url());
    let request = client.build().map_err(failed)?.get(address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    Ok(request.send().map_err(failed)?.status().as_u16())
}

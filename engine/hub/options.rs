//! What a caller may say about where checkpoints come from.

use std::{fmt, path::PathBuf, sync::Arc};

/// Where checkpoints come from. Everything left out is taken from the environment, as Python does.
#[derive(Clone, Default)]
pub struct Options {
    /// Branch, tag or commit; `main` when left out. A full commit that is in the cache needs no network at all.
    pub revision: Option<String>,
    /// The cache folder, in place of `HF_HUB_CACHE` and `HF_HOME`.
    pub cache_dir: Option<PathBuf>,
    /// Whether the network is off limits, in place of `HF_HUB_OFFLINE`.
    pub offline: Option<bool>,
    /// The access token, in place of `HF_TOKEN` and the saved one.
    pub token: Option<String>,
    /// The address of the Hub, in place of `HF_ENDPOINT`.
    pub endpoint: Option<String>,
    /// Told how downloads go on.
    pub progress: Option<Arc<dyn Progress>>,
}

/// Told how downloads go on; several files may be under way at once.
pub trait Progress: Send + Sync {
    /// A file begins, or begins again: `done` bytes of it are here already, of `total` when the server says how many.
    fn start(&self, file: &str, done: u64, total: Option<u64>);
    /// So many more bytes of the file are here.
    fn advance(&self, file: &str, bytes: u64);
    /// The file is complete and verified.
    fn finish(&self, file: &str);
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token stays out of logs.
        f.debug_struct("Options")
            .field("revision", &self.revision)
            .field("cache_dir", &self.cache_dir)
            .field("offline", &self.offline)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

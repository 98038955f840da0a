//! The options that every command with a model has.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use formers::{
    Options, hub,
    model::{ModelDtype, Source},
    session::{Device, SessionOptions, Threads},
};

use super::progress::Bars;

/// Where the model's files come from.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Where the model comes from")]
pub(super) struct HubOptions {
    /// Branch, tag or commit on the Hub.
    #[arg(long)]
    revision: Option<String>,
    /// The cache of downloads, in place of HF_HUB_CACHE and HF_HOME; converted models are kept in `formers` below it, in place of FORMERS_CACHE.
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    /// Do not use the network, only what is in the cache.
    #[arg(long)]
    offline: bool,
    /// The Hub's access token, in place of HF_TOKEN and the saved one.
    #[arg(long)]
    token: Option<String>,
}

impl HubOptions {
    /// For the library, with progress bars.
    pub(super) fn resolve(&self) -> hub::Options {
        hub::Options {
            revision: self.revision.clone(),
            cache_dir: self.cache_dir.clone(),
            offline: self.offline.then_some(true),
            token: self.token.clone(),
            endpoint: None,
            progress: Some(Arc::new(Bars::default())),
        }
    }
}

/// Which model, and how it runs.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "How the model runs")]
pub(super) struct ModelOptions {
    /// Where to run: auto, cpu, cuda[:N], tensorrt[:N], coreml, directml[:N], …. A device named outright is used or it is an
    /// error; auto, the default, takes the first that works.
    #[arg(long)]
    device: Option<Device>,
    /// The type of the weights: auto, fp32, fp16, int8 (or q8), q4; of ready-made ONNX files any that is there.
    ///
    /// int8 and q8 multiply in 8 bits; q4 stores weights in 4 bits, with a scale for each 32 of them.
    #[arg(long, default_value = "auto")]
    dtype: ModelDtype,
    /// Threads within an operator, at most 256; by default one for each physical core.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The most seconds that opening a model, and each run of it, may take; without it a ready-made graph may take for ever.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<Duration>,
    /// Read weights into memory in place of mapping their files, which then may change while the model runs.
    #[arg(long)]
    no_mmap: bool,
    /// What to run: auto, safetensors (the checkpoint's weights) or onnx (ready-made files).
    #[arg(long, default_value = "auto")]
    source: Source,
    #[command(flatten)]
    hub: HubOptions,
}

impl ModelOptions {
    /// For the library.
    pub(super) fn resolve(&self, model: &str) -> Options {
        let session = SessionOptions {
            device: self.device.unwrap_or(Device::Auto),
            threads: self.threads,
            mapping: !self.no_mmap,
            time_limit: self.time_limit,
            ..SessionOptions::default()
        };
        Options { model: model.to_owned(), hub: self.hub.resolve(), session, dtype: self.dtype, source: self.source, ..Options::default() }
    }

    /// The cache of downloads.
    pub(super) fn cache(&self) -> PathBuf {
        self.hub.cache_dir.clone().unwrap_or_else(hub::cache::dir)
    }

    /// How many threads a session gets.
    pub(super) fn threads(&self) -> usize {
        self.threads.filter(|threads| *threads > 0).map_or_else(|| Threads::count().default, |threads| threads.min(Threads::MOST))
    }

    /// Whether `--device auto` was given, so that the device that is taken should be told.
    pub(super) fn names_auto(&self) -> bool {
        self.device == Some(Device::Auto)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).ok_or_else(|| "expected seconds, such as 60 or 0.5".to_owned())
}

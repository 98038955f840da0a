//! `formers doctor`: what works on this machine, and what to do about what does not.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use formers::{model::converted, session};
use serde::Serialize;

use super::{cache::folder_size, model_options::HubOptions, output, table};

/// Check ONNX Runtime, devices, caches and the Hub, and say what to do about each problem
#[derive(Args)]
pub(super) struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    hub: HubOptions,
}

/// Everything that was found.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    onnxruntime: session::Doctor,
    caches: Vec<CacheState>,
    #[cfg(feature = "hub")]
    hub: formers::hub::Reach,
    /// What is wrong, and what to do about it.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct CacheState {
    holds: &'static str,
    path: PathBuf,
    size: Option<u64>,
    writable: bool,
    #[serde(skip)]
    problem: Option<String>,
}

impl Doctor {
    pub(super) fn execute(self) -> Result<()> {
        let options = self.hub.resolve();
        let onnxruntime = session::doctor();
        let downloads = options.cache_dir.clone().unwrap_or_else(formers::hub::cache::dir);
        let converted = converted::dir_in(options.cache_dir.as_deref());
        let caches = vec![
            cache("downloaded models", downloads, "set HF_HUB_CACHE, or --cache-dir, to a folder that is"),
            cache("converted models", converted, "set FORMERS_CACHE to a folder that is"),
        ];
        let mut problems = onnxruntime.problems.clone();
        problems.extend(caches.iter().filter_map(|cache| cache.problem.clone()));
        #[cfg(feature = "hub")]
        let hub = formers::hub::reach(&options);
        #[cfg(feature = "hub")]
        problems.extend(hub.problem.clone());
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            onnxruntime,
            caches,
            #[cfg(feature = "hub")]
            hub,
            problems,
        };
        if self.json {
            output::json(&report)?
        } else {
            output::text(&report.text())?
        }
        // Without the Hub, or a cache that can be written to, models that are here still run.
        let broken = !report.onnxruntime.ready || report.caches.iter().any(|cache| cache.size.is_none());
        if broken {
            bail!("models cannot run as things are: {}", report.problems.join("; "));
        }
        Ok(())
    }
}

impl Report {
    fn text(&self) -> String {
        let row = |name: &str, text: String| vec![name.to_owned(), text];
        let runtime = &self.onnxruntime;
        let library = match &runtime.library {
            Some(library) => format!("{} at {} ({})", library.version, library.path.display(), library.source),
            None if runtime.ready => "linked in".to_owned(),
            None => format!("none that can be used, which must be {} or newer", runtime.oldest),
        };
        let mut rows = vec![row("formers", self.version.to_owned()), row("ONNX Runtime", library)];
        rows.extend(runtime.tried.iter().map(|tried| row("  tried", format!("{}: {}", tried.path.display(), tried.problem))));
        for provider in &runtime.providers {
            let state = provider.advice.clone().unwrap_or_else(|| "usable".to_owned());
            rows.push(row("device", format!("{}: {state}", provider.device)));
        }
        let threads = runtime.threads;
        let cores = format!("{} by default; {} cores, {} of them may be used", threads.default, threads.physical, threads.available);
        rows.push(row("threads", cores));
        for cache in &self.caches {
            let size = cache.size.map_or_else(|| "unreadable".to_owned(), table::bytes);
            let writable = if cache.writable { "" } else { ", not writable" };
            rows.push(row(cache.holds, format!("{} ({size}{writable})", cache.path.display())));
        }
        #[cfg(feature = "hub")]
        rows.push(row("Hub", hub(&self.hub)));
        rows.push(row("data sent", sent(runtime.telemetry).to_owned()));
        let mut text = table::aligned(&rows);
        for problem in &self.problems {
            text.push_str(&format!("\nproblem: {problem}\n"));
        }
        text
    }
}

/// Where inputs, answers and facts about this machine go.
fn sent(telemetry: bool) -> &'static str {
    match telemetry {
        false => "none: inputs and answers stay here, and ONNX Runtime's telemetry is off",
        true => "ONNX Runtime's telemetry, which was asked for; inputs and answers stay here",
    }
}

#[cfg(feature = "hub")]
fn hub(reach: &formers::hub::Reach) -> String {
    let token = if reach.token { "with a token" } else { "without a token" };
    match reach.seconds {
        _ if reach.offline => format!("{}, not asked: offline", reach.endpoint),
        Some(seconds) => format!("{}, {token}, answered in {:.0} ms", reach.endpoint, seconds * 1e3),
        None => format!("{}, no answer", reach.endpoint),
    }
}

fn cache(holds: &'static str, path: PathBuf, advice: &str) -> CacheState {
    let (size, unreadable) = match folder_size(&path) {
        Ok(size) => (Some(size), None),
        Err(error) => (None, Some(format!("{holds}: {error:#}; {advice}"))),
    };
    let writable = writable(&path);
    let unwritable = (!writable).then(|| format!("{holds}: {} is not writable; {advice}", path.display()));
    CacheState { holds, path, size, writable, problem: unreadable.or(unwritable) }
}

/// Whether a file can be made in the folder, or in the first one above it that is there, where the folder would be made.
fn writable(folder: &Path) -> bool {
    let there = folder.ancestors().find(|path| path.exists() || path.is_symlink());
    tempfile::tempfile_in(there.unwrap_or(Path::new("."))).is_ok()
}

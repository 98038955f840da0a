//! What a person needs to know when models do not run, or not where they should.

use serde::Serialize;

use super::library::{Library, Tried};
use super::providers::PROVIDERS;
use super::runtime::{self, Runtime};
use super::{Device, Threads};

/// The state of ONNX Runtime on this machine.
#[derive(Debug, Clone, Serialize)]
pub struct Doctor {
    /// Whether models can run at all.
    pub ready: bool,
    /// The library in use; `None` when it is linked in, came with the application's environment, or was not found.
    pub library: Option<Library>,
    /// The oldest version of ONNX Runtime that can be used, as `1.23`.
    pub oldest: String,
    /// What the library says of its build.
    pub build: Option<String>,
    /// Whether ONNX Runtime may collect and send events: only where the application has asked for it.
    pub telemetry: bool,
    /// Where a library was looked for in vain.
    pub tried: Vec<Tried>,
    /// What could run models, in the order in which `auto` tries those it tries.
    pub providers: Vec<ProviderState>,
    /// The processor.
    pub threads: Threads,
    /// What is wrong, and what to do about it.
    pub problems: Vec<String>,
}

/// The state of one execution provider.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderState {
    /// The device it drives, as `--device` takes it.
    pub device: &'static str,
    /// ONNX Runtime's name for it.
    pub provider: &'static str,
    /// Whether `auto` tries it.
    pub automatic: bool,
    /// Whether this program was built with it.
    pub compiled_in: bool,
    /// Whether the library was built with it.
    pub in_library: bool,
    /// What is missing, and what to do about it; `None` when it can be used.
    pub advice: Option<String>,
}

/// Looks at ONNX Runtime and what it could run on. Loads it, and never fails: what is wrong is in the answer.
pub fn doctor() -> Doctor {
    let mut problems = Vec::new();
    let mut tried = Vec::new();
    let runtime = match runtime::get() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            tried = places();
            problems.push(error.to_string());
            None
        }
    };
    let in_library = runtime.map(Runtime::providers).unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|error| {
        problems.push(error.to_string());
        Vec::new()
    });
    let threads = Threads::count();
    if threads.available < threads.physical {
        problems.push(format!(
            "only {} of {} cores may be used: an affinity or a container's limit holds the others back",
            threads.available, threads.physical
        ));
    }
    let providers: Vec<_> = PROVIDERS
        .iter()
        .map(|provider| {
            let compiled_in = provider.register.is_some();
            let in_library = in_library.iter().any(|name| name == provider.name);
            let advice = match (compiled_in, in_library) {
                (true, true) => None,
                (false, true) => Some(format!("build with the Cargo feature `{}`", provider.feature)),
                (true, false) => Some(format!("needs {}", provider.needs)),
                (false, false) => Some(format!("needs {}; then build with the Cargo feature `{}`", provider.needs, provider.feature)),
            };
            ProviderState {
                device: provider.device,
                provider: provider.name,
                automatic: provider.automatic,
                compiled_in,
                in_library,
                advice,
            }
        })
        .collect();
    for state in &providers {
        if state.compiled_in && !state.in_library && runtime.is_some() && state.device != Device::Cpu.name() {
            problems.push(format!("device {}: compiled in, but the library has no {}", state.device, state.provider));
        }
    }
    Doctor {
        ready: runtime.is_some(),
        library: runtime.and_then(|runtime| runtime.library.clone()),
        oldest: format!("1.{}", ort::MINOR_VERSION),
        build: runtime.map(|_| ort::info().to_owned()),
        telemetry: runtime::has_telemetry(),
        tried,
        providers,
        threads,
        problems,
    }
}

#[cfg(feature = "load-dynamic")]
fn places() -> Vec<Tried> {
    super::probe::search(runtime::chosen_library().as_deref()).err().unwrap_or_default()
}

#[cfg(not(feature = "load-dynamic"))]
fn places() -> Vec<Tried> {
    Vec::new()
}

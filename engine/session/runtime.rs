//! ONNX Runtime in this process: loaded once, with one environment, and without its telemetry unless the application asks for it.

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;

use super::library::Library;
use super::{raw, telemetry};
use crate::{Error, ErrorKind, Result};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static SETTINGS: Mutex<Settings> = Mutex::new(Settings { library: None, environment: None, cpu_memory: None, telemetry: false });

/// What the application decided before the first session.
struct Settings {
    library: Option<PathBuf>,
    environment: Option<Environment>,
    cpu_memory: Option<u64>,
    telemetry: bool,
}

/// ONNX Runtime, ready to open sessions.
pub(super) struct Runtime {
    pub(super) environment: Environment,
    /// `None` when it is linked into the program, or came with the application's environment.
    pub(super) library: Option<Library>,
}

/// Uses this ONNX Runtime library rather than looking for one. Comes before the first session.
///
/// # Errors
/// [`ErrorKind::Runtime`] when the library cannot be used, or another one is in use already.
pub fn use_library(path: &Path) -> Result<()> {
    let mut settings = settings();
    if let Some(runtime) = RUNTIME.get() {
        return match &runtime.library {
            Some(library) if library.path == path => Ok(()),
            Some(library) => {
                Err(Error::new(ErrorKind::Runtime, format!("ONNX Runtime is in use already, from {}", library.path.display())))
            }
            None => Err(Error::new(ErrorKind::Runtime, "ONNX Runtime is in use already, and was not loaded from a file")),
        };
    }
    #[cfg(feature = "load-dynamic")]
    {
        settings.before_loading();
        super::probe::look(path)?;
    }
    settings.library = Some(path.to_path_buf());
    Ok(())
}

/// Uses the application's own environment: an `ort::environment::Environment` of the version of `ort` that this crate
/// is built with. Needed when the application creates one, since a process can have only one. Comes before the first
/// session.
///
/// ONNX Runtime's telemetry begins with the environment. It is turned off with the first session here, unless [`use_telemetry`] was called; what
/// was noted before that only `ORT_DISABLE_TELEMETRY=1` can prevent, set before the application makes the environment.
///
/// # Errors
/// [`ErrorKind::Runtime`] when it is something else, or sessions have been opened already.
pub fn use_environment(environment: impl Any + Send + Sync) -> Result<()> {
    let environment: Box<dyn Any> = Box::new(environment);
    let Ok(environment) = environment.downcast::<Environment>() else {
        return Err(Error::new(
            ErrorKind::Runtime,
            "the environment is not an `ort::environment::Environment` of the `ort` 2.0.0-rc.15 used here",
        ));
    };
    let mut settings = settings();
    if RUNTIME.get().is_some() {
        return Err(Error::new(ErrorKind::Runtime, "the environment comes too late: sessions have been opened already"));
    }
    settings.environment = Some(*environment);
    Ok(())
}

/// Lets ONNX Runtime send what it collects to Microsoft, where its build does that. Without this call nothing is collected or sent: official
/// builds are told so before they are loaded, whatever the environment says. Comes before the library is looked at or used.
///
/// # Errors
/// [`ErrorKind::Runtime`] when it comes too late.
pub fn use_telemetry() -> Result<()> {
    let mut settings = settings();
    if RUNTIME.get().is_some() || (!settings.telemetry && telemetry::is_prevented()) {
        let why = "telemetry is off: ORT_DISABLE_TELEMETRY is 1, or ONNX Runtime was looked for or used before it was asked for";
        return Err(Error::new(ErrorKind::Runtime, why));
    }
    settings.telemetry = true;
    Ok(())
}

/// Whether the application has asked for telemetry.
pub(super) fn has_telemetry() -> bool {
    settings().telemetry
}

/// Comes before any library is loaded.
#[cfg(feature = "load-dynamic")]
pub(super) fn before_loading() {
    settings().before_loading();
}

impl Settings {
    fn before_loading(&self) {
        if !self.telemetry {
            telemetry::prevent();
        }
    }
}

/// ONNX Runtime; loads it when this is the first use. A failure is not remembered, so that another library can be named.
pub(super) fn get() -> Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let settings = settings();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = match &settings.environment {
        Some(environment) => {
            if !settings.telemetry {
                raw::disable_telemetry(environment).map_err(raw::runtime_error)?;
            }
            Runtime { environment: environment.clone(), library: None }
        }
        None => {
            settings.before_loading();
            load(&settings)?
        }
    };
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// The library that the application named.
#[cfg(feature = "load-dynamic")]
pub(super) fn chosen_library() -> Option<PathBuf> {
    settings().library.clone()
}

fn settings() -> MutexGuard<'static, Settings> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(feature = "load-dynamic")]
fn load(settings: &Settings) -> Result<Runtime> {
    let library = super::probe::find(settings.library.as_deref())?;
    let builder = ort::init_from(&library.path).map_err(|error| Error::new(ErrorKind::Runtime, error.to_string()).caused_by(error))?;
    tracing::debug!(path = %library.path.display(), version = library.version, "loaded ONNX Runtime ({})", library.source);
    Ok(Runtime { environment: build(builder, settings.telemetry)?, library: Some(library) })
}

#[cfg(not(feature = "load-dynamic"))]
fn load(settings: &Settings) -> Result<Runtime> {
    Ok(Runtime { environment: build(ort::init(), settings.telemetry)?, library: None })
}

fn build(builder: EnvironmentBuilder, telemetry: bool) -> Result<Environment> {
    let environment = builder.with_name("formers").with_telemetry(telemetry).with_logger(Arc::new(log)).build().map_err(|error| {
        let advice = "an application with an environment of its own hands it in with `formers::session::use_environment`";
        Error::new(ErrorKind::Runtime, format!("ONNX Runtime's environment: {error}; {advice}")).caused_by(error)
    })?;
    environment.set_log_level(log_level());
    Ok(environment)
}

/// ONNX Runtime formats a message before it asks whether anybody listens, so it is told in advance.
fn log_level() -> LogLevel {
    if tracing::enabled!(target: "onnxruntime", tracing::Level::TRACE) {
        LogLevel::Info
    } else if tracing::enabled!(target: "onnxruntime", tracing::Level::DEBUG) {
        LogLevel::Warning
    } else {
        LogLevel::Fatal
    }
}

/// ONNX Runtime's errors come back from the call that failed, and its warnings are about graphs, which users did not
/// write: both are of interest only to who looks for details.
fn log(level: LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Fatal => tracing::error!(target: "onnxruntime", place, "{message}"),
        LogLevel::Error | LogLevel::Warning => tracing::debug!(target: "onnxruntime", place, "{message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(target: "onnxruntime", place, "{message}"),
    }
}

impl Runtime {
    /// The execution providers that the library was built with, by ONNX Runtime's names.
    #[allow(unsafe_code)]
    pub(super) fn providers(&self) -> Result<Vec<String>> {
        let mut names: *mut *mut c_char = null_mut();
        let mut count = 0;
        // SAFETY: the call fills both variables, and the array with its strings is ours until it is released.
        unsafe {
            raw::check((ort::api().GetAvailableProviders)(&mut names, &mut count)).map_err(raw::runtime_error)?;
            let found = (0..usize::try_from(count).unwrap_or(0))
                .map(|index| CStr::from_ptr(*names.add(index)).to_string_lossy().into_owned())
                .collect();
            raw::check((ort::api().ReleaseAvailableProviders)(names, count)).map_err(raw::runtime_error)?;
            Ok(found)
        }
    }

    /// Lets all sessions on the processor that ask for it allocate no more than this between them.
    pub(super) fn limit_cpu_memory(&self, bytes: u64) -> Result<()> {
        let mut settings = settings();
        match settings.cpu_memory {
            Some(limit) if limit == bytes => Ok(()),
            Some(limit) => Err(Error::new(
                ErrorKind::Runtime,
                format!("memory limit of {bytes} bytes: on the processor one limit holds for the whole process, and it is {limit} already"),
            )),
            None => {
                raw::share_cpu_arena(&self.environment, bytes).map_err(raw::runtime_error)?;
                settings.cpu_memory = Some(bytes);
                Ok(())
            }
        }
    }
}

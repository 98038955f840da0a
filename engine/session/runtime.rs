//! ONNX Runtime in this process: loaded once, with one environment, telemetry off.

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;

use super::library::Library;
use super::raw;
use crate::{Error, ErrorKind, Result};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static SETTINGS: Mutex<Settings> = Mutex::new(Settings { library: None, environment: None, cpu_memory: None });

/// What the application decided before the first session.
struct Settings {
    library: Option<PathBuf>,
    environment: Option<Environment>,
    cpu_memory: Option<u64>,
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
    super::probe::probe(path)?;
    settings.library = Some(path.to_path_buf());
    Ok(())
}

/// Uses the application's own environment: an `ort::environment::Environment` of the version of `ort` that this crate
/// is built with. Needed when the application creates one, since a process can have only one. Comes before the first
/// session.
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
        Some(environment) => Runtime { environment: environment.clone(), library: None },
        None => load(settings.library.as_deref())?,
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
fn load(chosen: Option<&Path>) -> Result<Runtime> {
    let library = super::probe::find(chosen)?;
    let builder = ort::init_from(&library.path).map_err(|error| Error::new(ErrorKind::Runtime, error.to_string()).caused_by(error))?;
    tracing::debug!(path = %library.path.display(), version = library.version, "loaded ONNX Runtime ({})", library.source);
    Ok(Runtime { environment: build(builder)?, library: Some(library) })
}

#[cfg(not(feature = "load-dynamic"))]
fn load(_: Option<&Path>) -> Result<Runtime> {
    Ok(Runtime { environment: build(ort::init())?, library: None })
}

fn build(builder: EnvironmentBuilder) -> Result<Environment> {
    let environment = builder.with_name("formers").with_telemetry(false).with_logger(Arc::new(log)).build().map_err(|error| {
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

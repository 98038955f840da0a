//! Opening a session: options become ONNX Runtime's, and a device is chosen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use formers_converters::reader;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};

use super::providers::{PROVIDERS, Provider};
use super::runtime::{self, Runtime};
use super::unmapped::{self, Weights};
use super::{Device, Optimization, SessionOptions, Spinning, kernels, raw, threads, watch};
use crate::{Error, ErrorKind, Result};

/// Where a graph comes from.
pub(super) enum Source<'a> {
    File(&'a Path),
    Memory { model: &'a [u8], external_data_folder: Option<&'a Path> },
}

/// A session and the device it got.
pub(super) struct Opened {
    pub(super) session: ort::session::Session,
    /// What it refers to outside of its own memory.
    pub(super) weights: Weights,
    pub(super) device: Device,
    /// Whether it may run on several threads at once.
    pub(super) concurrent: bool,
}

pub(super) fn open(source: &Source<'_>, options: &SessionOptions) -> Result<Opened> {
    if let Source::File(path) = source {
        // ONNX Runtime would say the same with a status code in front.
        std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("{}: there is no such file", path.display())),
            _ => Error::io(path, error),
        })?;
    }
    // Read or mapped once for all that looks at it.
    let content = match source {
        Source::File(path) => Some(options.content(path)?),
        Source::Memory { .. } => None,
    };
    let model = match (&content, source) {
        (None, Source::Memory { model, .. }) => model,
        (content, _) => content.as_deref().unwrap_or_default(),
    };
    reader::check(model).map_err(|error| error.at(source.name()))?;
    let model = Model { source, bytes: model };
    let runtime = runtime::get()?;
    let in_library = runtime.providers()?;
    let Some(provider) = Provider::of(&options.device) else {
        return automatic(runtime, &model, options, &in_library);
    };
    open_on(runtime, &model, options, options.device, provider, &in_library)
}

/// A graph with its bytes.
struct Model<'a> {
    source: &'a Source<'a>,
    bytes: &'a [u8],
}

impl Source<'_> {
    /// What errors call it.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory { .. } => "the converted graph".to_owned(),
        }
    }
}

/// Tries what is compiled in and in the library; the processor comes last and takes everything.
fn automatic(runtime: &Runtime, model: &Model<'_>, options: &SessionOptions, in_library: &[String]) -> Result<Opened> {
    let usable =
        |provider: &&Provider| provider.automatic && provider.register.is_some() && in_library.iter().any(|name| name == provider.name);
    for provider in PROVIDERS.iter().filter(usable).filter(|provider| provider.device != Device::Cpu.name()) {
        let device: Device = provider.device.parse()?;
        match open_on(runtime, model, options, device, provider, in_library) {
            Ok(opened) => {
                tracing::info!(%device, "device auto: took {device}");
                return Ok(opened);
            }
            Err(error) => tracing::warn!(%device, "device auto: {device} cannot be used, trying the next: {error}"),
        }
    }
    let device = Device::Cpu;
    tracing::info!(%device, "device auto: took {device}");
    let provider = Provider::of(&device).ok_or_else(|| Error::new(ErrorKind::Device, "there is no processor"))?;
    open_on(runtime, model, options, device, provider, in_library)
}

fn open_on(
    runtime: &Runtime,
    model: &Model<'_>,
    options: &SessionOptions,
    device: Device,
    provider: &Provider,
    in_library: &[String],
) -> Result<Opened> {
    let (threads, source) = (threads::granted(options), model.source);
    let builder = configure(runtime, source, options, device, threads).map_err(raw::runtime_error)?;
    let (builder, prepared) = with_kernels(builder, model, options, device, threads)?;
    let builder = limit_memory(runtime, builder, options, device)?;
    let builder = provider.add(builder, &device, options, in_library)?;
    let (mut builder, weights) = with_weights(builder, model, prepared.as_ref(), options)?;
    let prepared = prepared.map(|prepared| prepared.model);
    let canceler = builder.canceler();
    let stop = move || drop(canceler.cancel());
    let watched = options.time_limit.map(|limit| watch::within(limit, stop)).transpose()?.flatten();
    #[cfg(target_os = "linux")]
    let before = (device == Device::Cpu).then(super::huge_pages::Before::now);
    let commit = || match (&prepared, source) {
        (Some(model), _) => kernels::in_turn(|| builder.commit_from_memory(model)),
        (None, Source::File(path)) if options.mapping => builder.commit_from_file(path),
        (None, _) => builder.commit_from_memory(model.bytes),
    };
    let session = guarded(source, commit)?;
    drop(prepared);
    let is_late = watched.is_some_and(|watched| watched.is_late());
    let failed = |error| match is_late {
        true => super::late("opening it", options.time_limit).at(source.name()),
        false => open_error(error, source, device),
    };
    let session = session.map_err(failed)?;
    #[cfg(target_os = "linux")]
    if let Some(before) = before {
        before.collapse_new();
    }
    Ok(Opened { session, weights, device, concurrent: provider.concurrent })
}

/// What `ort` cannot describe of a model's inputs and outputs (sizes below -1 that ONNX Runtime infers, lists of lists), it panics at.
pub(super) fn guarded<T>(source: &Source<'_>, work: impl FnOnce() -> T) -> Result<T> {
    let strange = "its inputs or outputs are of types that make no sense";
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::new(ErrorKind::Checkpoint, format!("{}: {strange}", source.name())))
}

fn configure(
    runtime: &Runtime,
    source: &Source<'_>,
    options: &SessionOptions,
    device: Device,
    threads: usize,
) -> ort::Result<SessionBuilder> {
    let mut builder = ort::session::Session::builder(&runtime.environment)?
        // Devices are chosen here: without this, ONNX Runtime may add some by itself.
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        .with_no_environment_execution_providers()?
        .with_optimization_level(match options.optimization {
            Optimization::Disable => GraphOptimizationLevel::Disable,
            Optimization::Basic => GraphOptimizationLevel::Level1,
            Optimization::Extended => GraphOptimizationLevel::Level2,
            Optimization::All => GraphOptimizationLevel::All,
        })?
        .with_independent_thread_pool()?
        // XNNPACK has threads of its own, and two pools would fight for the cores.
        .with_intra_threads(if device == Device::Xnnpack { 1 } else { threads })?
        .with_intra_op_spinning(options.spinning != Spinning::Never)?
        .with_prepacking(options.prepacking)?;
    if options.spinning == Spinning::Briefly {
        // Longer than the gaps between operators, shorter than what the system needs to give the core to another thread.
        // Older libraries do not know the first entry, and ignore it.
        builder = builder.with_config_entry("session.intra_op.spin_duration_us", "50")?;
        builder = builder.with_config_entry("session.force_spinning_stop", "1")?;
    }
    if let Some(path) = &options.profile {
        builder = builder.with_profiling(path)?;
    }
    if let Source::Memory { external_data_folder: Some(folder), .. } = source {
        builder = with_folder(builder, folder)?;
    }
    for (key, value) in &options.config {
        if key.contains('\0') || value.contains('\0') {
            return Err(ort::Error::new(format!("session configuration entry {key:?}: it holds a zero byte")));
        }
        builder = builder.with_config_entry(key, value)?;
    }
    Ok(builder)
}

/// A model that was rewritten, and the folder that its weights are in.
struct Prepared {
    model: Vec<u8>,
    folder: Option<PathBuf>,
}

/// The model with kernels of our own, where some of its products suit to them; else `None`, and it is opened as it is.
fn with_kernels(
    builder: SessionBuilder,
    model: &Model<'_>,
    options: &SessionOptions,
    device: Device,
    threads: usize,
) -> Result<(SessionBuilder, Option<Prepared>)> {
    if device != Device::Cpu || !options.prepacking || !options.own_kernels {
        return Ok((builder, None));
    }
    // Links, as in the Hub's cache, do not lead out of the folder: it is the one where the file really is.
    let mut folder = None;
    let model = match model.source {
        Source::Memory { .. } => kernels::prepared(model.bytes, &|location| Some(location.to_owned())),
        Source::File(path) => {
            let (beside, within) = folders(path)?;
            let place = |location: &str| {
                let file = beside.join(location).canonicalize().ok()?;
                Some(file.strip_prefix(&within).ok()?.to_str()?.replace('\\', "/"))
            };
            let prepared = kernels::prepared(model.bytes, &place);
            folder = Some(within);
            prepared
        }
    };
    let Some(model) = model else { return Ok((builder, None)) };
    let with_domain = || -> ort::Result<SessionBuilder> {
        // ONNX Runtime's own threads do little beside ours, and would only keep them from their cores.
        let builder = builder.with_intra_op_spinning(false)?;
        let builder = builder.with_operators(kernels::domain(threads, options.spinning)?)?;
        match &folder {
            Some(folder) => with_folder(builder, folder),
            None => Ok(builder),
        }
    };
    Ok((with_domain().map_err(raw::runtime_error)?, Some(Prepared { model, folder })))
}

/// The folder of a file, and the one where it really is.
fn folders(path: &Path) -> Result<(&Path, PathBuf)> {
    let real = path.canonicalize().map_err(|error| Error::io(path, error))?;
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((beside, real.parent().unwrap_or(Path::new("/")).to_path_buf()))
}

/// The weights in memory, where their files are not to be mapped.
fn with_weights(
    builder: SessionBuilder,
    model: &Model<'_>,
    prepared: Option<&Prepared>,
    options: &SessionOptions,
) -> Result<(SessionBuilder, Weights)> {
    if options.mapping {
        return Ok((builder, Weights::new()));
    }
    let bytes = prepared.map_or(model.bytes, |prepared| prepared.model.as_slice());
    match (prepared.and_then(|prepared| prepared.folder.as_deref()), model.source) {
        (Some(folder), _) => unmapped::read(builder, bytes, folder, folder),
        (None, Source::Memory { external_data_folder, .. }) => {
            let folder = external_data_folder.unwrap_or(Path::new("."));
            unmapped::read(builder, bytes, folder, folder)
        }
        (None, Source::File(path)) => {
            let (beside, within) = folders(path)?;
            unmapped::read(builder, bytes, beside, &within)
        }
    }
}

/// Where weights lie that are outside of a model in memory.
fn with_folder(builder: SessionBuilder, folder: &Path) -> ort::Result<SessionBuilder> {
    let folder = folder.to_str().filter(|folder| !folder.contains('\0'));
    let folder = folder.ok_or_else(|| ort::Error::new("the folder of the weights has a name that is not UTF-8"))?;
    Ok(builder.with_config_entry("session.model_external_initializers_file_folder_path", plain(folder))?)
}

/// A folder without the prefix of Windows' canonical paths, behind which the forward slashes of ONNX are no separators.
fn plain(folder: &str) -> &str {
    folder.strip_prefix(r"\\?\").filter(|rest| rest.as_bytes().get(1) == Some(&b':')).unwrap_or(folder)
}

/// On the processor the limit is that of an arena which sessions share; elsewhere the providers take it.
fn limit_memory(runtime: &Runtime, builder: SessionBuilder, options: &SessionOptions, device: Device) -> Result<SessionBuilder> {
    match options.memory_limit {
        Some(bytes) if device == Device::Cpu => {
            runtime.limit_cpu_memory(bytes)?;
            builder.with_env_allocators().map_err(|error| raw::runtime_error(error.into()))
        }
        _ => Ok(builder),
    }
}

fn open_error(error: ort::Error, source: &Source<'_>, device: Device) -> Error {
    use ort::ErrorCode as Code;
    let text = raw::message(&error);
    let kind = match error.code() {
        Code::NoSuchFile => ErrorKind::NotFound,
        Code::InvalidProtobuf | Code::InvalidGraph | Code::NoModel => ErrorKind::Checkpoint,
        Code::ExecutionProviderFailure => ErrorKind::Device,
        Code::NotImplemented => ErrorKind::Unsupported,
        _ if device != Device::Cpu => ErrorKind::Device,
        _ if text.contains("alloc") => ErrorKind::Runtime,
        // Nothing else than the model is new to the processor.
        _ => ErrorKind::Checkpoint,
    };
    let place = source.name();
    Error::new(kind, format!("{place}: ONNX Runtime cannot open it on {device}: {text}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn only_drives_lose_the_prefix() {
        for (folder, expected) in
            [(r"\\?\C:\models\x", r"C:\models\x"), (r"\\?\UNC\server\x", r"\\?\UNC\server\x"), ("/models/x", "/models/x"), ("", "")]
        {
            assert_eq!(plain(folder), expected);
        }
    }
}

//! Opening a session: options become ONNX Runtime's, and a device is chosen.

use std::path::{Path, PathBuf};

use formers_converters::{content::Content, reader};
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};

use super::providers::{PROVIDERS, Provider};
use super::runtime::{self, Runtime};
use super::unmapped::{self, Weights};
use super::{Device, Optimization, SessionOptions, Spinning, kernels, raw, threads};
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
    check(source)?;
    let runtime = runtime::get()?;
    let in_library = runtime.providers()?;
    let Some(provider) = Provider::of(&options.device) else {
        return automatic(runtime, source, options, &in_library);
    };
    open_on(runtime, source, options, options.device, provider, &in_library)
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

/// An error for a graph that ONNX Runtime would not survive.
fn check(source: &Source<'_>) -> Result<()> {
    let checked = match source {
        Source::File(path) => reader::check(&Content::of(path)?),
        Source::Memory { model, .. } => reader::check(model),
    };
    Ok(checked.map_err(|error| error.at(source.name()))?)
}

/// Tries what is compiled in and in the library; the processor comes last and takes everything.
fn automatic(runtime: &Runtime, source: &Source<'_>, options: &SessionOptions, in_library: &[String]) -> Result<Opened> {
    let usable =
        |provider: &&Provider| provider.automatic && provider.register.is_some() && in_library.iter().any(|name| name == provider.name);
    for provider in PROVIDERS.iter().filter(usable).filter(|provider| provider.device != Device::Cpu.name()) {
        let device: Device = provider.device.parse()?;
        match open_on(runtime, source, options, device, provider, in_library) {
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
    open_on(runtime, source, options, device, provider, in_library)
}

fn open_on(
    runtime: &Runtime,
    source: &Source<'_>,
    options: &SessionOptions,
    device: Device,
    provider: &Provider,
    in_library: &[String],
) -> Result<Opened> {
    let threads = threads::granted(options);
    let builder = configure(runtime, source, options, device, threads).map_err(raw::runtime_error)?;
    let (builder, prepared) = with_kernels(builder, source, options, device, threads)?;
    let builder = limit_memory(runtime, builder, options, device)?;
    let builder = provider.add(builder, &device, options, in_library)?;
    let (mut builder, whole, weights) = with_weights(builder, source, prepared.as_ref(), options)?;
    let prepared = prepared.map(|prepared| prepared.model);
    #[cfg(target_os = "linux")]
    let before = (device == Device::Cpu).then(super::huge_pages::Before::now);
    let session = match (&prepared, source) {
        (Some(model), _) => kernels::in_turn(|| builder.commit_from_memory(model)),
        (None, Source::File(path)) => match &whole {
            Some(model) => builder.commit_from_memory(model),
            None => builder.commit_from_file(path),
        },
        (None, Source::Memory { model, .. }) => builder.commit_from_memory(model),
    };
    drop((prepared, whole));
    let session = session.map_err(|error| open_error(error, source, device))?;
    #[cfg(target_os = "linux")]
    if let Some(before) = before {
        before.collapse_new();
    }
    Ok(Opened { session, weights, device, concurrent: provider.concurrent })
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
    source: &Source<'_>,
    options: &SessionOptions,
    device: Device,
    threads: usize,
) -> Result<(SessionBuilder, Option<Prepared>)> {
    if device != Device::Cpu || !options.prepacking || !options.own_kernels {
        return Ok((builder, None));
    }
    // Links, as in the Hub's cache, do not lead out of the folder: it is the one where the file really is.
    let mut folder = None;
    let model = match source {
        Source::Memory { model, .. } => kernels::prepared(model, &|location| Some(location.to_owned())),
        Source::File(path) => {
            let (beside, within) = folders(path)?;
            let place = |location: &str| {
                let file = beside.join(location).canonicalize().ok()?;
                Some(file.strip_prefix(&within).ok()?.to_str()?.replace('\\', "/"))
            };
            let content = if options.mapping { Content::of(path) } else { Content::read(path) };
            let prepared = kernels::prepared(&content?, &place);
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

/// The weights in memory, where their files are not to be mapped; and the model itself, where it is not in memory yet.
fn with_weights(
    builder: SessionBuilder,
    source: &Source<'_>,
    prepared: Option<&Prepared>,
    options: &SessionOptions,
) -> Result<(SessionBuilder, Option<Content>, Weights)> {
    if options.mapping {
        return Ok((builder, None, Weights::new()));
    }
    match (prepared, source) {
        (Some(Prepared { model, folder: Some(folder) }), _) => {
            let (builder, weights) = unmapped::read(builder, model, folder, folder)?;
            Ok((builder, None, weights))
        }
        (_, Source::Memory { model, external_data_folder }) => {
            let model = prepared.map_or(*model, |prepared| prepared.model.as_slice());
            let folder = external_data_folder.unwrap_or(Path::new("."));
            let (builder, weights) = unmapped::read(builder, model, folder, folder)?;
            Ok((builder, None, weights))
        }
        (_, Source::File(path)) => {
            let (beside, within) = folders(path)?;
            let model = Content::read(path)?;
            let (builder, weights) = unmapped::read(builder, &model, beside, &within)?;
            Ok((builder, Some(model), weights))
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

//! Execution providers: what can run a model, one file each.

mod coreml;
mod cpu;
mod cuda;
mod directml;
mod migraphx;
mod openvino;
mod qnn;
mod rocm;
mod tensorrt;
mod webgpu;
mod xnnpack;

use ort::session::builder::SessionBuilder;

use super::{Device, SessionOptions, raw};
use crate::{Error, ErrorKind, Result};

/// Every provider, in the order in which [`Device::Auto`] tries those that are automatic.
pub(super) const PROVIDERS: &[Provider] = &[
    cuda::PROVIDER,
    rocm::PROVIDER,
    migraphx::PROVIDER,
    directml::PROVIDER,
    coreml::PROVIDER,
    webgpu::PROVIDER,
    cpu::PROVIDER,
    // Asked for by name only: they compile for minutes before the first run, know few operators, or change precision.
    tensorrt::PROVIDER,
    openvino::PROVIDER,
    xnnpack::PROVIDER,
    qnn::PROVIDER,
];

/// What can run a model.
pub(super) struct Provider {
    /// [`Device::name`] of the device it drives.
    pub(super) device: &'static str,
    /// ONNX Runtime's name for it.
    pub(super) name: &'static str,
    /// The Cargo feature that compiles it in; empty when it always is.
    pub(super) feature: &'static str,
    /// Whether [`Device::Auto`] tries it.
    pub(super) automatic: bool,
    /// Whether one session may run on several threads at once.
    pub(super) concurrent: bool,
    /// What the machine needs for it, in words.
    pub(super) needs: &'static str,
    /// Adds it to a session; `None` when it is not compiled in.
    pub(super) register: Option<fn(SessionBuilder, u32, &SessionOptions) -> Registered>,
}

/// A builder to which a provider was added, or why it could not be.
type Registered = ort::Result<SessionBuilder>;

impl Provider {
    /// The provider that drives a device; `None` for [`Device::Auto`].
    pub(super) fn of(device: &Device) -> Option<&'static Provider> {
        PROVIDERS.iter().find(|provider| provider.device == device.name())
    }

    /// Adds it to a session, or says why it cannot be used.
    pub(super) fn add(
        &self,
        builder: SessionBuilder,
        device: &Device,
        options: &SessionOptions,
        in_library: &[String],
    ) -> Result<SessionBuilder> {
        let failed = |problem: String| Error::new(ErrorKind::Device, format!("device {device}: {problem}"));
        let Some(register) = self.register else {
            return Err(failed(format!("not compiled in; build with the Cargo feature `{}`", self.feature)));
        };
        if !in_library.iter().any(|name| name == self.name) {
            let has = in_library.join(", ");
            return Err(failed(format!("this ONNX Runtime has no {} (it has {has}); the device needs {}", self.name, self.needs)));
        }
        register(builder, device.index().unwrap_or(0), options)
            .map_err(|error| failed(format!("{}; the device needs {}", raw::message(&error), self.needs)).caused_by(error))
    }
}

/// An index as ONNX Runtime takes it.
#[allow(dead_code, reason = "used by the providers that are compiled in")]
fn index(index: u32) -> ort::Result<i32> {
    i32::try_from(index).map_err(|_| ort::Error::new(format!("there is no device {index}")))
}

/// A number of bytes as ONNX Runtime takes it.
#[allow(dead_code, reason = "used by the providers that are compiled in")]
fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The folder for compiled models, as ONNX Runtime takes it.
#[allow(dead_code, reason = "used by the providers that are compiled in")]
fn cache_folder(options: &SessionOptions) -> ort::Result<Option<&str>> {
    let Some(folder) = &options.cache_folder else { return Ok(None) };
    match folder.to_str().filter(|folder| !folder.contains('\0')) {
        Some(folder) => Ok(Some(folder)),
        None => Err(ort::Error::new(format!("the cache folder {} is not UTF-8", folder.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::device::DEVICES;

    #[test]
    fn every_device_has_its_provider_and_its_file() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/session/providers");
        for device in DEVICES.iter().filter(|device| **device != Device::Auto) {
            let provider = Provider::of(device).unwrap();
            assert_eq!(provider.device, device.name());
            assert!(source.join(format!("{}.rs", device.name())).is_file(), "{device}");
            assert!(provider.feature == device.name() || *device == Device::Cpu, "{device}");
        }
        assert_eq!(PROVIDERS.len(), DEVICES.len() - 1);
        assert_eq!(std::fs::read_dir(source).unwrap().count(), PROVIDERS.len() + 1);
    }
}

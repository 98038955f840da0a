//! Where a model runs, and how people write it: `auto`, `cpu`, `cuda:1`.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result, pipelines::did_you_mean};

/// Where a model runs. Written as [`Device::name`] and, where there can be several, an index: `cuda`, `cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Device {
    /// The first accelerator that is compiled in and works, else the processor.
    Auto,
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card.
    Cuda(u32),
    /// An NVIDIA card, through TensorRT.
    TensorRt(u32),
    /// Apple's Neural Engine and GPU.
    CoreMl,
    /// A DirectX 12 card, on Windows.
    DirectMl(u32),
    /// Intel's processors, GPUs and NPUs.
    OpenVino,
    /// An AMD card, through ROCm.
    Rocm(u32),
    /// An AMD card, through MIGraphX.
    MiGraphX(u32),
    /// Any GPU, through WebGPU.
    WebGpu,
    /// The processor, through XNNPACK.
    Xnnpack,
    /// Qualcomm's NPU.
    Qnn,
}

/// Every device, at index 0, in the order in which help and reports list them.
pub(super) const DEVICES: [Device; 12] = [
    Device::Auto,
    Device::Cpu,
    Device::Cuda(0),
    Device::TensorRt(0),
    Device::CoreMl,
    Device::DirectMl(0),
    Device::OpenVino,
    Device::Rocm(0),
    Device::MiGraphX(0),
    Device::WebGpu,
    Device::Xnnpack,
    Device::Qnn,
];

impl Device {
    /// The name without an index.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
            Self::TensorRt(_) => "tensorrt",
            Self::CoreMl => "coreml",
            Self::DirectMl(_) => "directml",
            Self::OpenVino => "openvino",
            Self::Rocm(_) => "rocm",
            Self::MiGraphX(_) => "migraphx",
            Self::WebGpu => "webgpu",
            Self::Xnnpack => "xnnpack",
            Self::Qnn => "qnn",
        }
    }

    /// Which one of several, counted from 0; `None` for devices of which there is one.
    pub fn index(&self) -> Option<u32> {
        match *self {
            Self::Cuda(index) | Self::TensorRt(index) | Self::DirectMl(index) | Self::Rocm(index) | Self::MiGraphX(index) => Some(index),
            _ => None,
        }
    }

    fn with_index(self, index: u32) -> Option<Self> {
        Some(match self {
            Self::Cuda(_) => Self::Cuda(index),
            Self::TensorRt(_) => Self::TensorRt(index),
            Self::DirectMl(_) => Self::DirectMl(index),
            Self::Rocm(_) => Self::Rocm(index),
            Self::MiGraphX(_) => Self::MiGraphX(index),
            _ => return None,
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index() {
            Some(index) => write!(f, "{}:{index}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let (name, index) = match lower.split_once(':') {
            Some((name, index)) => (name, Some(index)),
            None => (lower.as_str(), None),
        };
        let Some(device) = DEVICES.into_iter().find(|device| device.name() == name) else {
            let meant = did_you_mean(name, DEVICES.iter().map(|device| device.name()));
            return Err(Error::new(ErrorKind::Device, format!("unknown device `{text}`{meant}: use one of {}", names())));
        };
        let Some(index) = index else { return Ok(device) };
        index
            .parse()
            .ok()
            .and_then(|index| device.with_index(index))
            .ok_or_else(|| Error::new(ErrorKind::Device, format!("device `{text}`: `:{index}` is wrong, use one of {}", names())))
    }
}

/// `auto, cpu, cuda[:N], …`
fn names() -> String {
    let name = |device: Device| format!("{}{}", device.name(), if device.index().is_some() { "[:N]" } else { "" });
    DEVICES.map(name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for device in DEVICES {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
            assert_eq!(device.name().parse::<Device>().unwrap(), device);
        }
        assert_eq!(" CUDA:3 ".parse::<Device>().unwrap(), Device::Cuda(3));
    }

    #[test]
    fn what_is_no_device_is_named_with_those_that_are() {
        for wrong in ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "cuda:4294967296", "cuda:0:0"] {
            let error = wrong.parse::<Device>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Device);
            assert!(error.to_string().contains(&format!("`{wrong}`")) && error.to_string().contains("cuda[:N]"), "{error}");
        }
    }
}

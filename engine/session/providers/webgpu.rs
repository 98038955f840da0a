//! Any GPU, through WebGPU (Vulkan, Metal or DirectX).

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "webgpu",
    name: "WebGpuExecutionProvider",
    feature: "webgpu",
    automatic: true,
    concurrent: false,
    needs: "a WebGPU build of ONNX Runtime and a graphics driver",
    #[cfg(feature = "webgpu")]
    register: Some(register),
    #[cfg(not(feature = "webgpu"))]
    register: None,
};

#[cfg(feature = "webgpu")]
fn register(builder: ort::session::builder::SessionBuilder, _: u32, _: &super::SessionOptions) -> super::Registered {
    Ok(builder.with_execution_providers([ort::ep::WebGPU::default().build().error_on_failure()])?)
}

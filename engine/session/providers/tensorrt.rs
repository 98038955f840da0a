//! NVIDIA cards through TensorRT, which compiles a model before its first run; CUDA takes what it does not know.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "tensorrt",
    name: "TensorrtExecutionProvider",
    feature: "tensorrt",
    automatic: false,
    concurrent: true,
    needs: "a TensorRT build of ONNX Runtime, an NVIDIA driver and the TensorRT libraries",
    #[cfg(feature = "tensorrt")]
    register: Some(register),
    #[cfg(not(feature = "tensorrt"))]
    register: None,
};

#[cfg(feature = "tensorrt")]
fn register(builder: ort::session::builder::SessionBuilder, index: u32, options: &super::SessionOptions) -> super::Registered {
    use ort::ep::TensorRT;
    let mut provider = TensorRT::default().with_device_id(super::index(index)?);
    if let Some(bytes) = options.memory_limit {
        provider = provider.with_max_workspace_size(super::bytes(bytes));
    }
    if let Some(folder) = super::cache_folder(options)? {
        provider = provider.with_engine_cache(true).with_engine_cache_path(folder).with_timing_cache(true).with_timing_cache_path(folder);
    }
    let builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
    match super::cuda::PROVIDER.register {
        Some(register) => register(builder, index, options),
        None => Ok(builder),
    }
}

//! Intel's processors, GPUs and NPUs.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "openvino",
    name: "OpenVINOExecutionProvider",
    feature: "openvino",
    automatic: false,
    concurrent: true,
    needs: "an OpenVINO build of ONNX Runtime and the OpenVINO libraries",
    #[cfg(feature = "openvino")]
    register: Some(register),
    #[cfg(not(feature = "openvino"))]
    register: None,
};

#[cfg(feature = "openvino")]
fn register(builder: ort::session::builder::SessionBuilder, _: u32, options: &super::SessionOptions) -> super::Registered {
    let mut provider = ort::ep::OpenVINO::default();
    if let Some(threads) = options.threads.filter(|&threads| threads > 0) {
        provider = provider.with_num_threads(threads);
    }
    if let Some(folder) = super::cache_folder(options)? {
        provider = provider.with_cache_dir(folder);
    }
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

//! AMD cards, through ROCm.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "rocm",
    name: "ROCMExecutionProvider",
    feature: "rocm",
    automatic: true,
    concurrent: true,
    needs: "a ROCm build of ONNX Runtime and the ROCm libraries",
    #[cfg(feature = "rocm")]
    register: Some(register),
    #[cfg(not(feature = "rocm"))]
    register: None,
};

#[cfg(feature = "rocm")]
fn register(builder: ort::session::builder::SessionBuilder, index: u32, options: &super::SessionOptions) -> super::Registered {
    use ort::ep::{ArenaExtendStrategy, ROCm};
    let mut provider =
        ROCm::default().with_device_id(super::index(index)?).with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested);
    if let Some(bytes) = options.memory_limit {
        provider = provider.with_mem_limit(super::bytes(bytes));
    }
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

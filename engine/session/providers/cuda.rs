//! NVIDIA cards.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "cuda",
    name: "CUDAExecutionProvider",
    feature: "cuda",
    automatic: true,
    concurrent: true,
    needs: "a CUDA build of ONNX Runtime, an NVIDIA driver, and the CUDA and cuDNN libraries where the system finds them",
    #[cfg(feature = "cuda")]
    register: Some(register),
    #[cfg(not(feature = "cuda"))]
    register: None,
};

#[cfg(feature = "cuda")]
fn register(builder: ort::session::builder::SessionBuilder, index: u32, options: &super::SessionOptions) -> super::Registered {
    use ort::ep::{ArenaExtendStrategy, CUDA, cuda::ConvAlgorithmSearch};
    let mut provider = CUDA::default()
        .with_device_id(super::index(index)?)
        // ONNX Runtime rounds float32 to TensorFloat-32 unless told otherwise, which is visible in the answers.
        .with_tf32(false)
        // An exhaustive search runs again for every new shape, and batches of text and sound bring many.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested);
    if let Some(bytes) = options.memory_limit {
        provider = provider.with_memory_limit(super::bytes(bytes));
    }
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

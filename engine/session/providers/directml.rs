//! DirectX 12 cards, on Windows.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "directml",
    name: "DmlExecutionProvider",
    feature: "directml",
    automatic: true,
    concurrent: false,
    needs: "Windows 10 or newer and a DirectML build of ONNX Runtime",
    #[cfg(feature = "directml")]
    register: Some(register),
    #[cfg(not(feature = "directml"))]
    register: None,
};

#[cfg(feature = "directml")]
fn register(builder: ort::session::builder::SessionBuilder, index: u32, _: &super::SessionOptions) -> super::Registered {
    // DirectML refuses sessions with memory patterns or operators in parallel.
    let builder = builder.with_memory_pattern(false)?.with_parallel_execution(false)?;
    let provider = ort::ep::DirectML::default().with_device_id(super::index(index)?);
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

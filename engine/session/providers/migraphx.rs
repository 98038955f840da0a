//! AMD cards, through MIGraphX.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "migraphx",
    name: "MIGraphXExecutionProvider",
    feature: "migraphx",
    automatic: true,
    concurrent: true,
    needs: "a MIGraphX build of ONNX Runtime and the ROCm libraries",
    #[cfg(feature = "migraphx")]
    register: Some(register),
    #[cfg(not(feature = "migraphx"))]
    register: None,
};

#[cfg(feature = "migraphx")]
fn register(builder: ort::session::builder::SessionBuilder, index: u32, options: &super::SessionOptions) -> super::Registered {
    let mut provider = ort::ep::MIGraphX::default().with_device_id(super::index(index)?);
    if let Some(bytes) = options.memory_limit {
        provider = provider.with_mem_limit(super::bytes(bytes));
    }
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

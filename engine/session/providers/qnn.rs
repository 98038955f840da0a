//! Qualcomm's NPU.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "qnn",
    name: "QNNExecutionProvider",
    feature: "qnn",
    automatic: false,
    concurrent: true,
    needs: "a QNN build of ONNX Runtime, a Snapdragon processor, and a quantized model",
    #[cfg(feature = "qnn")]
    register: Some(register),
    #[cfg(not(feature = "qnn"))]
    register: None,
};

#[cfg(feature = "qnn")]
fn register(builder: ort::session::builder::SessionBuilder, _: u32, _: &super::SessionOptions) -> super::Registered {
    Ok(builder.with_execution_providers([ort::ep::QNN::default().build().error_on_failure()])?)
}

//! Processors, mostly of phones, through XNNPACK, which keeps threads of its own.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "xnnpack",
    name: "XnnpackExecutionProvider",
    feature: "xnnpack",
    automatic: false,
    concurrent: true,
    needs: "an XNNPACK build of ONNX Runtime",
    #[cfg(feature = "xnnpack")]
    register: Some(register),
    #[cfg(not(feature = "xnnpack"))]
    register: None,
};

#[cfg(feature = "xnnpack")]
fn register(builder: ort::session::builder::SessionBuilder, _: u32, options: &super::SessionOptions) -> super::Registered {
    let threads = std::num::NonZeroUsize::new(crate::session::threads::wanted(options)).unwrap_or(std::num::NonZeroUsize::MIN);
    let provider = ort::ep::XNNPACK::default().with_intra_op_num_threads(threads);
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

//! Apple's Neural Engine and GPU.

use super::Provider;

pub(super) const PROVIDER: Provider = Provider {
    device: "coreml",
    name: "CoreMLExecutionProvider",
    feature: "coreml",
    automatic: true,
    concurrent: true,
    needs: "macOS or iOS",
    #[cfg(feature = "coreml")]
    register: Some(register),
    #[cfg(not(feature = "coreml"))]
    register: None,
};

#[cfg(feature = "coreml")]
fn register(builder: ort::session::builder::SessionBuilder, _: u32, options: &super::SessionOptions) -> super::Registered {
    use ort::ep::{CoreML, coreml::ModelFormat};
    // ML programs know more operators than the older format, and keep float32 where the graph has it.
    let mut provider = CoreML::default().with_model_format(ModelFormat::MLProgram);
    if let Some(folder) = super::cache_folder(options)? {
        provider = provider.with_model_cache_dir(folder);
    }
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

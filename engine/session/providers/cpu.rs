//! The processor, which every ONNX Runtime has.

use ort::session::builder::SessionBuilder;

use super::{Provider, Registered, SessionOptions};

pub(super) const PROVIDER: Provider = Provider {
    device: "cpu",
    name: "CPUExecutionProvider",
    feature: "",
    automatic: true,
    concurrent: true,
    needs: "nothing",
    register: Some(register),
};

fn register(builder: SessionBuilder, _: u32, options: &SessionOptions) -> Registered {
    let provider = ort::ep::CPU::default().with_arena_allocator(options.arena);
    Ok(builder.with_execution_providers([provider.build().error_on_failure()])?)
}

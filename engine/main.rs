//! The `formers` program.

mod cli;

#[allow(unsafe_code)]
fn main() -> std::process::ExitCode {
    // ONNX Runtime's telemetry stays off in this process and in those that it starts. The library would see to it as well, later.
    // SAFETY: nothing else runs in this process yet.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    cli::main()
}

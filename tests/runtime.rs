//! Sessions, graphs as they are lowered and stored, and the kernels of this library.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/checkpoint.rs"]
mod checkpoint;
#[allow(dead_code)] // what other programs use
#[path = "support/goldens.rs"]
mod goldens;

mod fused_kernels;
mod lowering;
mod own_attention;
mod own_kernels;
mod quantized;
mod session;
mod storage;

//! How a Transformers checkpoint becomes an ONNX graph: weights, graph builder, layers, passes, writer.
//!
//! This crate knows no architecture, no network and no ONNX Runtime.

pub mod content;
mod dtype;
mod error;
pub mod graph;
pub mod layers;
mod onnx;
mod parallel;
pub mod passes;
pub mod protobuf;
pub mod quantize;
pub mod reader;
mod scope;
mod shorten;
pub mod weights;
pub mod writer;

pub use dtype::Dtype;
pub use error::{Error, ErrorKind, Result};
pub use parallel::parallel;
pub use scope::{Weights, listed};
pub use shorten::shortened;

/// The name under which graphs from here are known (`producer_name`).
pub const PRODUCER: &str = "formers";

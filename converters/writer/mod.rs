//! Graphs become ONNX models: in memory, with weights that stay in the checkpoint's own files, or in a folder.
//!
//! The same graph gives the same bytes.

mod computed;
mod folder;
mod memory;
mod proto;

pub use folder::write_folder;
pub use memory::{Model, files, in_memory};

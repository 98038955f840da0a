//! Fields and types of onnx.proto3.

pub(super) const MODEL_GRAPH: u32 = 7;
pub(super) const MODEL_OPSET: u32 = 8;
pub(super) const GRAPH_NODE: u32 = 1;
pub(super) const GRAPH_INITIALIZER: u32 = 5;
pub(super) const GRAPH_INPUT: u32 = 11;
pub(super) const GRAPH_OUTPUT: u32 = 12;
pub(super) const TENSOR_TYPE: u32 = 2;
pub(super) const TENSOR_NAME: u32 = 8;
pub(super) const TENSOR_EXTERNAL: u32 = 13;
pub(super) const ENTRY_KEY: u32 = 1;
pub(super) const ENTRY_VALUE: u32 = 2;
pub(super) const NODE_INPUT: u32 = 1;
pub(super) const NODE_OUTPUT: u32 = 2;
pub(super) const NODE_NAME: u32 = 3;
pub(super) const NODE_TYPE: u32 = 4;
pub(super) const NODE_ATTRIBUTE: u32 = 5;
pub(super) const NODE_DOMAIN: u32 = 7;
pub(super) const ATTRIBUTE_NAME: u32 = 1;
pub(super) const ATTRIBUTE_FLOAT: u32 = 2;
pub(super) const ATTRIBUTE_INTEGER: u32 = 3;
pub(super) const ATTRIBUTE_TEXT: u32 = 4;
pub(super) const ATTRIBUTE_GRAPH: u32 = 6;
pub(super) const ATTRIBUTE_GRAPHS: u32 = 11;
pub(super) const ATTRIBUTE_TYPE: u32 = 20;
pub(super) const VALUE_NAME: u32 = 1;
pub(super) const OPSET_DOMAIN: u32 = 1;
pub(super) const OPSET_VERSION: u32 = 2;

/// Types of tensors.
pub(super) const FLOAT: u64 = 1;
pub(super) const UINT8: u64 = 2;
/// The type of an attribute that is one float.
pub(super) const FLOAT_ATTRIBUTE: u64 = 1;

//! Which attention is ours: those of 32 bits, with what our operator knows.

use std::collections::BTreeMap;

use formers_converters::protobuf::{Fields, first_bytes, first_integer};

use super::onnx::{
    ATTRIBUTE_INTEGER, ATTRIBUTE_NAME, FLOAT, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, NODE_ATTRIBUTE, NODE_DOMAIN, NODE_INPUT,
    NODE_OUTPUT, NODE_TYPE, TENSOR_NAME, TENSOR_TYPE, VALUE_NAME,
};

// Fields of onnx.proto3.
const VALUE_TYPE: u32 = 2;
const TYPE_TENSOR: u32 = 1;
const TYPE_ELEMENT: u32 = 1;

/// The types of a graph's inputs, outputs and initializers, by name.
pub(super) struct Types<'a>(BTreeMap<&'a [u8], u64>);

impl<'a> Types<'a> {
    pub(super) fn of(graph: &'a [u8]) -> Self {
        let mut types = BTreeMap::new();
        for field in Fields(graph).flatten() {
            let Some(bytes) = field.bytes else { continue };
            let found = match field.number {
                GRAPH_INPUT | GRAPH_OUTPUT => {
                    let tensor = first_bytes(bytes, VALUE_TYPE).and_then(|of| first_bytes(of, TYPE_TENSOR));
                    first_bytes(bytes, VALUE_NAME).zip(tensor.and_then(|tensor| first_integer(tensor, TYPE_ELEMENT)))
                }
                GRAPH_INITIALIZER => first_bytes(bytes, TENSOR_NAME).zip(first_integer(bytes, TENSOR_TYPE)),
                _ => None,
            };
            types.extend(found);
        }
        Self(types)
    }

    /// Whether a node is attention that our operator computes: one of its tensors is known to be of 32 bits, and so are all.
    pub(super) fn suit(&self, node: &[u8]) -> bool {
        let all = |number: u32| Fields(node).flatten().filter(move |field| field.number == number).filter_map(|field| field.bytes);
        if all(NODE_TYPE).next() != Some(b"GroupQueryAttention") || all(NODE_DOMAIN).next() != Some(b"com.microsoft") {
            return false;
        }
        let (inputs, outputs): (Vec<_>, Vec<_>) = (all(NODE_INPUT).collect(), all(NODE_OUTPUT).collect());
        // Scales of caches in 8 bits are behind these, and scores that are wanted.
        let known = inputs.iter().skip(12).chain(outputs.iter().skip(3)).all(|name| name.is_empty());
        let there = |names: &[&[u8]], index: usize| names.get(index).is_some_and(|name| !name.is_empty());
        let needed = [0, 5, 6].iter().all(|index| there(&inputs, *index)) && (0..3).all(|index| there(&outputs, index));
        let floats = [0, 1, 2, 3, 4, 7, 8, 10, 11].iter().filter_map(|index| inputs.get(*index)).chain(&outputs);
        let types: Vec<u64> = floats.filter_map(|name| self.0.get(*name).copied()).collect();
        known && needed && !types.is_empty() && types.iter().all(|of| *of == FLOAT) && all(NODE_ATTRIBUTE).all(is_known)
    }
}

fn is_known(attribute: &[u8]) -> bool {
    let integer = || first_integer(attribute, ATTRIBUTE_INTEGER).unwrap_or(0).cast_signed();
    match first_bytes(attribute, ATTRIBUTE_NAME) {
        Some(b"num_heads" | b"kv_num_heads") => (1..1 << 24).contains(&integer()),
        Some(b"scale" | b"softcap") => true,
        Some(b"do_rotary" | b"rotary_interleaved" | b"smooth_softmax") => matches!(integer(), 0 | 1),
        Some(b"local_window_size") => integer() == -1 || integer() > 0,
        _ => false,
    }
}

//! Which products of a model are ours: their nodes get our domain, and everything else stays as it is, byte by byte.

use std::collections::BTreeMap;

use super::{BLOCK, DOMAIN};

// Fields of onnx.proto3.
const MODEL_GRAPH: u32 = 7;
const MODEL_OPSET: u32 = 8;
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;
const GRAPH_INPUT: u32 = 11;
const TENSOR_TYPE: u32 = 2;
const TENSOR_NAME: u32 = 8;
const TENSOR_EXTERNAL: u32 = 13;
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;
const NODE_INPUT: u32 = 1;
const NODE_TYPE: u32 = 4;
const NODE_ATTRIBUTE: u32 = 5;
const NODE_DOMAIN: u32 = 7;
const ATTRIBUTE_NAME: u32 = 1;
const ATTRIBUTE_INTEGER: u32 = 3;
const VALUE_NAME: u32 = 1;
const OPSET_DOMAIN: u32 = 1;
const OPSET_VERSION: u32 = 2;
/// Where a file of weights is, by the place that the model says: both relative to a folder.
pub(super) type Place<'a> = &'a dyn Fn(&str) -> Option<String>;

const FLOAT: u64 = 1;
const UINT8: u64 = 2;

/// The model with suitable products in our domain, and weights outside of it where `place` says they are; `None` where there are no such products,
/// no such place, or where this is no model (ONNX Runtime says so better).
pub(super) fn rewrite(model: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(model.len() + 4096);
    let mut found = false;
    for field in Fields(model) {
        let field = field?;
        match (field.number, field.bytes) {
            (MODEL_GRAPH, Some(graph)) => {
                let graph = rewrite_graph(graph, place)?;
                found = true;
                write(&mut out, MODEL_GRAPH, &graph);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    let mut opset = Vec::new();
    write(&mut opset, OPSET_DOMAIN, DOMAIN.as_bytes());
    opset.extend([(OPSET_VERSION << 3) as u8, 1]);
    write(&mut out, MODEL_OPSET, &opset);
    found.then_some(out)
}

fn rewrite_graph(graph: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let constants = constants(graph)?;
    let mut out = Vec::with_capacity(graph.len() + 4096);
    let mut found = false;
    for field in Fields(graph) {
        let field = field?;
        match (field.number, field.bytes) {
            (GRAPH_NODE, Some(node)) if Node::read(node)?.suits(&constants) => {
                let mut ours = Vec::with_capacity(node.len());
                for field in Fields(node).flatten().filter(|field| field.number != NODE_DOMAIN) {
                    ours.extend_from_slice(field.whole);
                }
                write(&mut ours, NODE_DOMAIN, DOMAIN.as_bytes());
                write(&mut out, GRAPH_NODE, &ours);
                found = true;
            }
            (GRAPH_INITIALIZER, Some(tensor)) => write(&mut out, GRAPH_INITIALIZER, &moved(tensor, place)?),
            _ => out.extend_from_slice(field.whole),
        }
    }
    found.then_some(out)
}

/// A tensor whose numbers lie in another file, with that file's place.
fn moved(tensor: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(tensor.len() + 64);
    for field in Fields(tensor) {
        let field = field?;
        match (field.number, field.bytes) {
            (TENSOR_EXTERNAL, Some(entry)) if first_bytes(entry, ENTRY_KEY) == Some(b"location") => {
                let location = std::str::from_utf8(first_bytes(entry, ENTRY_VALUE)?).ok()?;
                let mut entry = Vec::new();
                write(&mut entry, ENTRY_KEY, b"location");
                write(&mut entry, ENTRY_VALUE, place(location)?.as_bytes());
                write(&mut out, TENSOR_EXTERNAL, &entry);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Some(out)
}

/// The types of a graph's constants by name: initializers that are no inputs as well, which a caller could replace.
fn constants(graph: &[u8]) -> Option<BTreeMap<&[u8], u64>> {
    let mut constants = BTreeMap::new();
    let mut inputs = Vec::new();
    for field in Fields(graph) {
        let field = field?;
        match (field.number, field.bytes) {
            (GRAPH_INITIALIZER, Some(tensor)) => {
                constants.insert(first_bytes(tensor, TENSOR_NAME)?, first_integer(tensor, TENSOR_TYPE)?);
            }
            (GRAPH_INPUT, Some(value)) => inputs.push(first_bytes(value, VALUE_NAME)?),
            _ => {}
        }
    }
    for input in inputs {
        constants.remove(input);
    }
    Some(constants)
}

#[derive(Default)]
struct Node<'a> {
    op: &'a [u8],
    domain: &'a [u8],
    inputs: Vec<&'a [u8]>,
    integers: Vec<(&'a [u8], u64)>,
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut node = Self::default();
        for field in Fields(bytes) {
            let field = field?;
            match (field.number, field.bytes) {
                (NODE_TYPE, Some(bytes)) => node.op = bytes,
                (NODE_DOMAIN, Some(bytes)) => node.domain = bytes,
                (NODE_INPUT, Some(bytes)) => node.inputs.push(bytes),
                (NODE_ATTRIBUTE, Some(bytes)) => {
                    node.integers
                        .extend(first_integer(bytes, ATTRIBUTE_INTEGER).and_then(|i| Some((first_bytes(bytes, ATTRIBUTE_NAME)?, i))));
                }
                _ => {}
            }
        }
        Some(node)
    }

    /// Whether this is a product of 32-bit activations with constant weights in whole blocks, which may be computed in 8 bits.
    fn suits(&self, constants: &BTreeMap<&[u8], u64>) -> bool {
        if self.op != b"MatMulNBits" || self.domain != b"com.microsoft" {
            return false;
        }
        let integer = |name: &str| self.integers.iter().find(|(there, _)| *there == name.as_bytes()).map(|(_, value)| *value);
        let (Some(columns), Some(block)) = (integer("K"), integer("block_size")) else { return false };
        let blocks = block.is_power_of_two() && block >= BLOCK as u64 && block <= 256 && columns > 0 && columns % block == 0;
        let exact_enough = integer("accuracy_level") == Some(4) && matches!(integer("bits"), None | Some(4 | 8));
        // Weights, scales, zero points, an order of columns, a bias.
        let input = |index: usize| self.inputs.get(index).copied().filter(|name| !name.is_empty());
        let is = |index, dtype| input(index).is_some_and(|name| constants.get(name) == Some(&dtype));
        blocks && exact_enough && is(1, UINT8) && is(2, FLOAT) && (input(3).is_none() || is(3, UINT8)) && input(4).is_none()
    }
}

/// A field of a message.
struct Field<'a> {
    number: u32,
    whole: &'a [u8],
    integer: Option<u64>,
    bytes: Option<&'a [u8]>,
}

/// The fields of a message; the last is `None` where it is damaged.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let start = self.0;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok()?;
        let (mut integer, mut bytes) = (None, None);
        match key & 7 {
            0 => integer = Some(self.varint()?),
            1 => _ = self.take(8)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                bytes = Some(self.take(length)?);
            }
            5 => _ = self.take(4)?,
            _ => return None,
        }
        Some(Field { number, whole: start.get(..start.len() - self.0.len())?, integer, bytes })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn first_bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    Fields(message).flatten().find(|field| field.number == number)?.bytes
}

fn first_integer(message: &[u8], number: u32) -> Option<u64> {
    Fields(message).flatten().find(|field| field.number == number)?.integer
}

fn write(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_varint(out, u64::from(number << 3 | 2));
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

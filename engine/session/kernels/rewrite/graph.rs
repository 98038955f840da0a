//! A graph as it is read: its nodes, who makes a value, and who reads it.

use std::collections::BTreeMap;

use formers_converters::protobuf::{Fields, first, first_bytes, first_integer};

use super::onnx;

/// What only the graph's outputs read.
const OUTSIDE: usize = usize::MAX;

pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// The types of constants: initializers that are no inputs as well, which a caller could replace.
    constants: BTreeMap<&'a [u8], u64>,
    makers: BTreeMap<&'a [u8], usize>,
    /// The places of nodes that read a value, in order, once for each input. Nodes with graphs inside read what those use.
    readers: BTreeMap<&'a [u8], Vec<usize>>,
}

#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) op: &'a [u8],
    pub(super) domain: &'a [u8],
    inputs: Vec<&'a [u8]>,
    outputs: Vec<&'a [u8]>,
    attributes: Vec<&'a [u8]>,
}

impl<'a> Graph<'a> {
    /// `None` where it is damaged, or has two values of one name.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut graph = Self { nodes: Vec::new(), constants: BTreeMap::new(), makers: BTreeMap::new(), readers: BTreeMap::new() };
        let mut inputs = Vec::new();
        for field in Fields(bytes) {
            let field = field?;
            match (field.number, field.bytes) {
                (onnx::GRAPH_NODE, Some(node)) => graph.push(Node::read(node)?)?,
                (onnx::GRAPH_INITIALIZER, Some(tensor)) => {
                    let name = first_bytes(tensor, onnx::TENSOR_NAME)?;
                    graph.constants.insert(name, first_integer(tensor, onnx::TENSOR_TYPE)?);
                }
                (onnx::GRAPH_INPUT, Some(value)) => inputs.push(first_bytes(value, onnx::VALUE_NAME)?),
                (onnx::GRAPH_OUTPUT, Some(value)) => {
                    graph.readers.entry(first_bytes(value, onnx::VALUE_NAME)?).or_default().push(OUTSIDE);
                }
                _ => {}
            }
        }
        for input in inputs {
            graph.constants.remove(input);
        }
        Some(graph)
    }

    fn push(&mut self, node: Node<'a>) -> Option<()> {
        let place = self.nodes.len();
        let mut read = node.inputs.clone();
        for attribute in &node.attributes {
            used_inside(attribute, &mut read)?;
        }
        for value in read.into_iter().filter(|value| !value.is_empty()) {
            self.readers.entry(value).or_default().push(place);
        }
        for value in node.outputs.iter().filter(|value| !value.is_empty()) {
            if self.makers.insert(value, place).is_some() {
                return None;
            }
        }
        self.nodes.push(node);
        Some(())
    }

    /// The node that makes a value, and its place.
    pub(super) fn maker(&self, value: &[u8]) -> Option<(usize, &Node<'a>)> {
        let place = *self.makers.get(value)?;
        Some((place, self.nodes.get(place)?))
    }

    /// The places of those who read a value, in order; outputs of the graph count as after the last.
    pub(super) fn readers(&self, value: &[u8]) -> Vec<usize> {
        let mut readers = self.readers.get(value).cloned().unwrap_or_default();
        readers.sort_unstable();
        readers
    }

    pub(super) fn is_constant(&self, value: &[u8], dtype: u64) -> bool {
        self.constants.get(value) == Some(&dtype)
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut node = Self { bytes, ..Self::default() };
        for field in Fields(bytes) {
            let field = field?;
            match (field.number, field.bytes) {
                (onnx::NODE_NAME, Some(bytes)) => node.name = bytes,
                (onnx::NODE_TYPE, Some(bytes)) => node.op = bytes,
                (onnx::NODE_DOMAIN, Some(bytes)) => node.domain = bytes,
                (onnx::NODE_INPUT, Some(bytes)) => node.inputs.push(bytes),
                (onnx::NODE_OUTPUT, Some(bytes)) => node.outputs.push(bytes),
                (onnx::NODE_ATTRIBUTE, Some(bytes)) => node.attributes.push(bytes),
                _ => {}
            }
        }
        Some(node)
    }

    /// Whether it is this operator, of ONNX itself or of ONNX Runtime.
    pub(super) fn is(&self, op: &str) -> bool {
        self.op == op.as_bytes() && matches!(self.domain, b"" | b"ai.onnx")
    }

    /// As above, of ONNX Runtime.
    pub(super) fn is_contrib(&self, op: &str) -> bool {
        self.op == op.as_bytes() && self.domain == b"com.microsoft"
    }

    /// An input that is given.
    pub(super) fn input(&self, index: usize) -> Option<&'a [u8]> {
        self.inputs.get(index).copied().filter(|name| !name.is_empty())
    }

    /// The inputs, where there are just so many.
    pub(super) fn only_inputs<const COUNT: usize>(&self) -> Option<[&'a [u8]; COUNT]> {
        let mut inputs = [&b""[..]; COUNT];
        for (index, input) in inputs.iter_mut().enumerate() {
            *input = self.input(index)?;
        }
        self.inputs.iter().skip(COUNT).all(|name| name.is_empty()).then_some(inputs)
    }

    /// An output that is wanted.
    pub(super) fn output(&self, index: usize) -> Option<&'a [u8]> {
        self.outputs.get(index).copied().filter(|name| !name.is_empty())
    }

    /// The output, where there is one only.
    pub(super) fn only_output(&self) -> Option<&'a [u8]> {
        self.output(0).filter(|_| self.outputs.iter().skip(1).all(|name| name.is_empty()))
    }

    pub(super) fn attributes(&self) -> &[&'a [u8]] {
        &self.attributes
    }

    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        first_integer(self.attribute(name)?, onnx::ATTRIBUTE_INTEGER)
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        first(self.attribute(name)?, onnx::ATTRIBUTE_FLOAT)?.float
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a [u8]> {
        first_bytes(self.attribute(name)?, onnx::ATTRIBUTE_TEXT)
    }

    fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        self.attributes.iter().copied().find(|bytes| first_bytes(bytes, onnx::ATTRIBUTE_NAME) == Some(name.as_bytes()))
    }
}

/// The names of values that the graphs of an attribute use, of which some may come from outside.
fn used_inside<'a>(attribute: &'a [u8], names: &mut Vec<&'a [u8]>) -> Option<()> {
    for field in Fields(attribute) {
        let field = field?;
        let (onnx::ATTRIBUTE_GRAPH | onnx::ATTRIBUTE_GRAPHS, Some(graph)) = (field.number, field.bytes) else { continue };
        for field in Fields(graph) {
            let field = field?;
            match (field.number, field.bytes) {
                (onnx::GRAPH_NODE, Some(node)) => {
                    let node = Node::read(node)?;
                    names.extend(&node.inputs);
                    for attribute in &node.attributes {
                        used_inside(attribute, names)?;
                    }
                }
                (onnx::GRAPH_OUTPUT, Some(value)) => names.push(first_bytes(value, onnx::VALUE_NAME)?),
                _ => {}
            }
        }
    }
    Some(())
}

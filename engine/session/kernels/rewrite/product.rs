//! A product as it is found in a graph, with what becomes one operator with it, and as it is written.

use formers_converters::protobuf::{write, write_float, write_integer};

use super::graph::{Graph, Node};
use super::{in_our_domain, onnx};
use crate::session::kernels::gate::Gate;
use crate::session::kernels::{BLOCK, DOMAIN, operator};

pub(super) struct Product<'a> {
    /// Where it stands: at the place of its last part.
    pub(super) place: usize,
    /// The activations that are multiplied.
    pub(super) activations: &'a [u8],
    pub(super) output: &'a [u8],
    /// The products with one matrix each: one, or the gate's and the one that it scales.
    pub(super) matrices: Vec<usize>,
    /// Other nodes whose work it does.
    pub(super) others: Vec<usize>,
    pub(super) gate: Option<Gate>,
    pub(super) norm: Option<Norm<'a>>,
}

/// A sum that is normalized before the product.
pub(super) struct Norm<'a> {
    pub(super) terms: [&'a [u8]; 2],
    pub(super) scale: &'a [u8],
    pub(super) epsilon: f32,
    /// The sum itself, where others want it.
    pub(super) sum: Option<&'a [u8]>,
}

impl<'a> Product<'a> {
    /// A product of 32-bit activations with constant weights in whole blocks, which may be computed in 8 bits.
    pub(super) fn of(graph: &Graph<'a>, place: usize, node: &Node<'a>) -> Option<Self> {
        if !node.is_contrib("MatMulNBits") {
            return None;
        }
        let (columns, block) = (node.integer("K")?, node.integer("block_size")?);
        let blocks = block.is_power_of_two() && block >= BLOCK as u64 && block <= 256 && columns > 0 && columns % block == 0;
        let exact_enough = node.integer("accuracy_level") == Some(4) && matches!(node.integer("bits"), None | Some(4 | 8));
        // Weights, scales, zero points, an order of columns, a bias.
        let is = |index, dtype| node.input(index).is_some_and(|name| graph.is_constant(name, dtype));
        let constant = is(1, onnx::UINT8) && is(2, onnx::FLOAT) && (node.input(3).is_none() || is(3, onnx::UINT8));
        let suits = blocks && exact_enough && constant && node.input(4).is_none();
        let (activations, output) = (node.input(0)?, node.output(0)?);
        suits.then(|| Self { place, activations, output, matrices: vec![place], others: Vec::new(), gate: None, norm: None })
    }

    /// The places of all nodes whose work it does.
    pub(super) fn parts(&self) -> impl Iterator<Item = usize> {
        self.matrices.iter().chain(&self.others).copied()
    }

    pub(super) fn written(&self, graph: &Graph<'_>) -> Vec<u8> {
        let matrices: Vec<_> = self.matrices.iter().filter_map(|place| graph.nodes.get(*place)).collect();
        let Some(first) = matrices.first() else { return Vec::new() };
        if self.gate.is_none() && self.norm.is_none() {
            return in_our_domain(first);
        }
        let mut inputs = match &self.norm {
            Some(norm) => vec![norm.terms[0], norm.terms[1], norm.scale],
            None => vec![self.activations],
        };
        for matrix in &matrices {
            inputs.extend((1..=operator::PARTS_OF_A_MATRIX).map(|index| matrix.input(index).unwrap_or_default()));
        }
        let mut out = Vec::new();
        for input in inputs {
            write(&mut out, onnx::NODE_INPUT, input);
        }
        write(&mut out, onnx::NODE_OUTPUT, self.output);
        if let Some(sum) = self.norm.as_ref().and_then(|norm| norm.sum) {
            write(&mut out, onnx::NODE_OUTPUT, sum);
        }
        write(&mut out, onnx::NODE_NAME, first.name);
        write(&mut out, onnx::NODE_TYPE, operator::name(self.norm.is_some(), self.gate.is_some()).as_bytes());
        for attribute in first.attributes() {
            write(&mut out, onnx::NODE_ATTRIBUTE, attribute);
        }
        let gate = self.gate.iter().flat_map(|gate| [("linear", gate.linear), ("cubic", gate.cubic)]);
        let norm = self.norm.iter().map(|norm| ("epsilon", norm.epsilon));
        for (name, value) in gate.chain(norm) {
            write(&mut out, onnx::NODE_ATTRIBUTE, &float(name, value));
        }
        write(&mut out, onnx::NODE_DOMAIN, DOMAIN.as_bytes());
        out
    }
}

fn float(name: &str, value: f32) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, onnx::ATTRIBUTE_NAME, name.as_bytes());
    write_float(&mut out, onnx::ATTRIBUTE_FLOAT, value);
    write_integer(&mut out, onnx::ATTRIBUTE_TYPE, onnx::FLOAT_ATTRIBUTE);
    out
}

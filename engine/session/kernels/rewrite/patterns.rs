//! Products, and what becomes one operator with them: a gate with what it scales, and a norm with the only product that reads it.

use std::collections::BTreeMap;

use super::Product;
use super::graph::{Graph, Node};
use super::onnx;
use super::product::Norm;
use crate::session::kernels::LANES;
use crate::session::kernels::gate::Gate;

/// All products that are ours. No node is part of two.
pub(super) fn products<'a>(graph: &Graph<'a>) -> Vec<Product<'a>> {
    let nodes = || graph.nodes.iter().enumerate();
    let found = nodes().filter_map(|(place, node)| Some((place, Product::of(graph, place, node)?)));
    let mut products: BTreeMap<usize, Product<'a>> = found.collect();
    for (place, node) in nodes() {
        if let Some(gated) = gated(graph, place, node, &products) {
            products.retain(|product, _| !gated.matrices.contains(product));
            products.insert(place, gated);
        }
    }
    let mut products: Vec<_> = products.into_values().collect();
    for product in &mut products {
        with_norm(graph, product);
    }
    products
}

/// `act(gate) * up`, of two products with the same activations that nothing else reads.
fn gated<'a>(graph: &Graph<'a>, place: usize, node: &Node<'a>, products: &BTreeMap<usize, Product<'a>>) -> Option<Product<'a>> {
    let [a, b] = node.only_inputs().filter(|_| node.is("Mul"))?;
    let (activated, up) = [(a, b), (b, a)].into_iter().find_map(|(activated, up)| {
        let only_here = [activated, up].iter().all(|value| graph.readers(value) == [place]);
        Some((activation(graph, activated).filter(|_| only_here)?, up))
    })?;
    let (gate_place, gate) = graph.maker(activated.of)?;
    let (up_place, up) = graph.maker(up)?;
    let [ours, theirs] = [products.get(&gate_place)?, products.get(&up_place)?];
    let same = |name| gate.integer(name) == up.integer(name);
    // Tiles of both lie side by side: each is of one matrix only.
    let whole_tiles = gate.integer("N").is_some_and(|rows| rows % LANES as u64 == 0);
    let bits = |node: &Node<'_>| node.integer("bits").unwrap_or(4);
    let alike = ["N", "K", "block_size"].into_iter().all(same) && bits(gate) == bits(up) && whole_tiles;
    let one_input = ours.activations == theirs.activations && gate_place != up_place;
    (alike && one_input).then_some(Product {
        place,
        activations: ours.activations,
        output: node.only_output()?,
        matrices: vec![gate_place, up_place],
        others: activated.parts.into_iter().chain([place]).collect(),
        gate: Some(activated.gate),
        norm: None,
    })
}

/// An activation function, of a value that nothing else reads.
struct Activated<'a> {
    of: &'a [u8],
    gate: Gate,
    parts: Vec<usize>,
}

fn activation<'a>(graph: &Graph<'a>, value: &[u8]) -> Option<Activated<'a>> {
    let (place, node) = graph.maker(value)?;
    node.only_output()?;
    if node.is("Mul") {
        // x σ(x)
        let [a, b] = node.only_inputs()?;
        return [(a, b), (b, a)].into_iter().find_map(|(of, sigmoid)| {
            let (sigmoid_place, maker) = graph.maker(sigmoid)?;
            let is = maker.is("Sigmoid") && maker.only_output().is_some() && maker.only_inputs() == Some([of]);
            let mut parts = vec![sigmoid_place, place];
            parts.sort_unstable();
            let only_here = graph.readers(sigmoid) == [place] && graph.readers(of) == parts;
            (is && only_here).then_some(Activated { of, gate: Gate { linear: 1.0, cubic: 0.0 }, parts })
        });
    }
    let [of] = node.only_inputs()?;
    let gate = if node.is_contrib("QuickGelu") {
        Gate { linear: node.float("alpha").unwrap_or(1.702), cubic: 0.0 }
    } else if (node.is("Gelu") && node.text("approximate") == Some(b"tanh")) || node.is_contrib("FastGelu") {
        // ½ (1 + tanh(√(2/π) (x + 0.044715 x³))) = σ(2 √(2/π) (x + 0.044715 x³))
        let linear = 2.0 * (std::f32::consts::FRAC_2_PI).sqrt();
        Gate { linear, cubic: 0.044_715 * linear }
    } else {
        return None;
    };
    (graph.readers(of) == [place]).then_some(Activated { of, gate, parts: vec![place] })
}

/// Takes in a sum and its norm, where nothing but this product reads that norm.
fn with_norm<'a>(graph: &Graph<'a>, product: &mut Product<'a>) {
    let Some((place, node)) = graph.maker(product.activations) else { return };
    // Without a bias; the second and third output are for training.
    let Some([a, b, scale]) = node.only_inputs().filter(|_| node.is_contrib("SkipSimplifiedLayerNormalization")) else { return };
    let plain = node.output(0) == Some(product.activations) && node.output(1).is_none() && node.output(2).is_none();
    let mut matrices = product.matrices.clone();
    matrices.sort_unstable();
    let only_here = graph.readers(product.activations) == matrices;
    let sum = node.output(3);
    // The sum comes later than it did.
    let in_time = sum.is_none_or(|sum| graph.readers(sum).first().is_none_or(|first| *first > product.place));
    if plain && only_here && in_time && is_float(graph, scale) {
        product.others.push(place);
        product.norm = Some(Norm { terms: [a, b], scale, epsilon: node.float("epsilon").unwrap_or(1e-12), sum });
    }
}

/// Whether numbers have 32 bits: those of a checkpoint often become so when the model is opened.
fn is_float(graph: &Graph<'_>, value: &[u8]) -> bool {
    let made_so = |(_, node): (usize, &Node<'_>)| node.is("Cast") && node.integer("to") == Some(onnx::FLOAT);
    graph.is_constant(value, onnx::FLOAT) || graph.maker(value).is_some_and(made_so)
}

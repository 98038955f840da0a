//! Replacing nodes by formulas, or changing them.

use std::collections::BTreeMap;

use crate::{
    Result,
    graph::{Body, Graph, Node, Tensor, ValueId},
};

/// Goes through the nodes in order; where `replace` gives tensors, they take the place of the node's outputs, and elsewhere the node
/// stays as `replace` leaves it.
pub(super) fn rewrite(mut body: Body, mut replace: impl FnMut(&Graph, &mut Node) -> Option<Vec<Tensor>>) -> Result<Body> {
    let nodes = std::mem::take(&mut body.nodes);
    let graph = Graph::from_body(body);
    let mut replaced: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for mut node in nodes {
        for input in node.inputs.iter_mut().flatten() {
            *input = replaced.get(input).copied().unwrap_or(*input);
        }
        match replace(&graph, &mut node) {
            Some(tensors) => replaced.extend(node.outputs.iter().copied().zip(tensors.iter().map(Tensor::id))),
            None => graph.push(node),
        }
    }
    graph.finish()
}

//! Sums under a root-mean-square norm become one operator with it. For LayerNormalization ONNX Runtime does so by itself.

use std::collections::BTreeMap;

use super::Target;
use crate::{
    Result,
    graph::{Attributes, Body, Graph, Node, ValueId},
};

const NORM: &str = "SimplifiedLayerNormalization";
const FUSED: &str = "SkipSimplifiedLayerNormalization";

pub(super) fn lower(mut body: Body, target: Target) -> Result<Body> {
    if target != Target::Cpu {
        return Ok(body);
    }
    let mut sums = sums(&body);
    let nodes = std::mem::take(&mut body.nodes);
    let graph = Graph::from_body(body);
    let mut waiting: BTreeMap<ValueId, Node> = BTreeMap::new();
    for (place, node) in nodes.into_iter().enumerate() {
        let sum = node.outputs.first().copied().filter(|id| sums.get(id).is_some_and(|norm| *norm > place));
        if let Some(sum) = sum {
            waiting.insert(sum, node);
            continue;
        }
        let input = node.inputs.first().copied().flatten();
        match input.and_then(|sum| (sums.remove(&sum)? == place).then(|| waiting.remove(&sum))?) {
            Some(sum) => graph.push(fused(&graph, &sum, &node)),
            None => graph.push(node),
        }
    }
    graph.finish()
}

/// The sums that can wait for a norm, with the norm's place: it is the first that reads the sum, and normalizes its last axis.
fn sums(body: &Body) -> BTreeMap<ValueId, usize> {
    let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
    for (place, node) in body.nodes.iter().enumerate() {
        for input in node.inputs.iter().flatten() {
            readers.entry(*input).or_insert(place);
        }
    }
    let norm = |node: &Node| {
        let sum = *node.outputs.first()?;
        let place = *readers.get(&sum)?;
        let reader = body.nodes.get(place)?;
        let normalizes = reader.op == NORM && reader.domain.is_empty() && reader.inputs.first() == Some(&Some(sum));
        let last = reader.attributes.int("axis").unwrap_or(-1) == -1;
        (normalizes && last && !body.outputs.contains(&sum) && is_residual(body, node)).then_some((sum, place))
    };
    body.nodes.iter().filter_map(norm).collect()
}

/// Whether a node adds two tensors of the same shape, `(batch, sequence, width)`: the operator broadcasts nothing.
fn is_residual(body: &Body, node: &Node) -> bool {
    let [Some(a), Some(b)] = node.inputs[..] else { return false };
    let shape = |id: ValueId| &body.value(id).shape;
    let fixed_to_one = |id: ValueId| shape(id).iter().any(|dim| dim.fixed() == Some(1));
    let same = shape(a).len() == 3 && shape(b).len() == 3 && shape(a).last() == shape(b).last();
    node.op == "Add" && same && !fixed_to_one(a) && !fixed_to_one(b)
}

fn fused(graph: &Graph, sum: &Node, norm: &Node) -> Node {
    let epsilon = norm.attributes.float("epsilon").unwrap_or(1e-5);
    let inputs = sum.inputs.iter().copied().chain([norm.inputs.get(1).copied().flatten()]).collect();
    // The second and third output are for training.
    let outputs = norm.outputs.iter().copied().chain([graph.nothing(), graph.nothing()]).chain(sum.outputs.iter().copied()).collect();
    let attributes = Attributes::new().with("epsilon", epsilon);
    Node { op: FUSED.into(), domain: "com.microsoft".into(), inputs, outputs, attributes }
}

//! Dropping nodes and initializers that no output needs.

use std::collections::BTreeSet;

use crate::graph::{Body, ValueId};

pub(super) fn prune(mut body: Body) -> Body {
    let mut needed: BTreeSet<ValueId> = body.outputs.iter().copied().collect();
    let mut kept = Vec::with_capacity(body.nodes.len());
    for node in body.nodes.drain(..).rev() {
        if node.outputs.iter().any(|id| needed.contains(id)) {
            needed.extend(node.inputs.iter().flatten());
            kept.push(node);
        }
    }
    kept.reverse();
    body.nodes = kept;
    body.initializers.retain(|id, _| needed.contains(id));
    body
}

//! Which nodes of a model are ours: those get our domain, some become one with their neighbours, and everything else stays, byte by byte.

mod attention;
mod graph;
mod onnx;
mod patterns;
mod product;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use formers_converters::protobuf::{Fields, first_bytes, write, write_integer};

use super::DOMAIN;
use graph::{Graph, Node};
use product::Product;

/// Where a file of weights is, by the place that the model says: both relative to a folder.
pub(super) type Place<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The model with suitable nodes in our domain, and weights outside of it where `place` says they are; `None` where there are no such nodes,
/// no such place, or where this is no model (ONNX Runtime says so better).
pub(super) fn rewrite(model: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(model.len() + 4096);
    let mut found = false;
    for field in Fields(model) {
        let field = field?;
        match (field.number, field.bytes) {
            (onnx::MODEL_GRAPH, Some(graph)) => {
                let graph = rewrite_graph(graph, place)?;
                found = true;
                write(&mut out, onnx::MODEL_GRAPH, &graph);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    let mut opset = Vec::new();
    write(&mut opset, onnx::OPSET_DOMAIN, DOMAIN.as_bytes());
    write_integer(&mut opset, onnx::OPSET_VERSION, 1);
    write(&mut out, onnx::MODEL_OPSET, &opset);
    found.then_some(out)
}

fn rewrite_graph(graph: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let read = Graph::read(graph)?;
    let mut changes = changes(&read);
    if changes.is_empty() {
        // Attention alone is not worth threads of our own beside ONNX Runtime's.
        return None;
    }
    let types = attention::Types::of(graph);
    for (place, node) in read.nodes.iter().enumerate().filter(|(_, node)| types.suit(node.bytes)) {
        changes.entry(place).or_insert_with(|| Some(in_our_domain(node)));
    }
    let mut out = Vec::with_capacity(graph.len() + 4096);
    let mut nodes = 0..;
    for field in Fields(graph) {
        let field = field?;
        match (field.number, field.bytes) {
            (onnx::GRAPH_NODE, Some(_)) => match nodes.next().and_then(|number| changes.get(&number)) {
                Some(Some(node)) => write(&mut out, onnx::GRAPH_NODE, node),
                Some(None) => {}
                None => out.extend_from_slice(field.whole),
            },
            (onnx::GRAPH_INITIALIZER, Some(tensor)) => write(&mut out, onnx::GRAPH_INITIALIZER, &moved(tensor, place)?),
            _ => out.extend_from_slice(field.whole),
        }
    }
    Some(out)
}

/// What comes in the place of nodes; `None` where nothing does, as a later one does their work.
fn changes(graph: &Graph<'_>) -> BTreeMap<usize, Option<Vec<u8>>> {
    let mut changes = BTreeMap::new();
    for product in patterns::products(graph) {
        changes.extend(product.parts().map(|part| (part, None)));
        changes.insert(product.place, Some(product.written(graph)));
    }
    changes
}

/// A node, in our domain and otherwise as it is.
fn in_our_domain(node: &Node<'_>) -> Vec<u8> {
    let mut ours = Vec::with_capacity(node.bytes.len());
    for field in Fields(node.bytes).flatten().filter(|field| field.number != onnx::NODE_DOMAIN) {
        ours.extend_from_slice(field.whole);
    }
    write(&mut ours, onnx::NODE_DOMAIN, DOMAIN.as_bytes());
    ours
}

/// A tensor whose numbers lie in another file, with that file's place.
fn moved(tensor: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(tensor.len() + 64);
    for field in Fields(tensor) {
        let field = field?;
        match (field.number, field.bytes) {
            (onnx::TENSOR_EXTERNAL, Some(entry)) if first_bytes(entry, onnx::ENTRY_KEY) == Some(b"location") => {
                let location = std::str::from_utf8(first_bytes(entry, onnx::ENTRY_VALUE)?).ok()?;
                let mut entry = Vec::new();
                write(&mut entry, onnx::ENTRY_KEY, b"location");
                write(&mut entry, onnx::ENTRY_VALUE, place(location)?.as_bytes());
                write(&mut out, onnx::TENSOR_EXTERNAL, &entry);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Some(out)
}

//! What the operators of a ready-made ONNX file are, without its weights.

mod check;
mod functions;
mod operators;

use prost::Message;

pub use check::check;

use crate::{Error, Result};

/// An operator of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// What it is.
    pub op: String,
    /// Where that is defined; empty for ONNX itself.
    pub domain: String,
    /// The names of its inputs; empty for those that are left out.
    pub inputs: Vec<String>,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// Its attributes that are whole numbers.
    pub integers: Vec<(String, i64)>,
}

impl Operator {
    /// An attribute that is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.integers.iter().find(|(there, _)| there == name).map(|(_, value)| *value)
    }
}

/// The operators of a model (the bytes of an ONNX file), those of branches and loops included.
///
/// # Errors
/// What is no ONNX model.
pub fn operators(model: &[u8]) -> Result<Vec<Operator>> {
    let mut found = Vec::new();
    decode(model)?.graph.into_iter().for_each(|graph| graph.operators(&mut found));
    Ok(found)
}

/// The files that hold a model's weights, relative to its folder.
///
/// # Errors
/// As [`operators`].
pub fn external_files(model: &[u8]) -> Result<Vec<String>> {
    decode(model).map(locations)
}

fn decode(bytes: &[u8]) -> Result<Model> {
    Model::decode(bytes).map_err(|error| Error::checkpoint(format!("no ONNX model: {error}")))
}

fn locations(model: Model) -> Vec<String> {
    let mut found = Vec::new();
    model.graph.into_iter().for_each(|graph| graph.external_files(&mut found));
    found.sort_unstable();
    found.dedup();
    found
}

impl Graph {
    fn operators(self, found: &mut Vec<Operator>) {
        for node in self.node {
            let mut integers = Vec::new();
            for attribute in node.attribute {
                integers.extend(attribute.i.map(|i| (attribute.name, i)));
                attribute.g.into_iter().chain(attribute.graphs).for_each(|graph| graph.operators(found));
            }
            found.push(Operator { op: node.op_type, domain: node.domain, inputs: node.input, outputs: node.output, integers });
        }
    }
}

impl Graph {
    fn external_files(self, found: &mut Vec<String>) {
        let entries = self.initializer.into_iter().flat_map(|tensor| tensor.external_data);
        found.extend(entries.filter(|entry| entry.key == "location").map(|entry| entry.value));
        let attributes = self.node.into_iter().flat_map(|node| node.attribute);
        attributes.flat_map(|attribute| attribute.g.into_iter().chain(attribute.graphs)).for_each(|graph| graph.external_files(found));
    }
}

// The messages of onnx.proto3 with only the fields that are looked at: prost skips the others where they lie.

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(message, optional, tag = "6")]
    g: Option<Graph>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<Graph>,
}

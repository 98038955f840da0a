//! What a graph consists of: plain data that passes rewrite and the writer serializes.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use super::{Caller, Dim};
use crate::{Dtype, Error, Result};

/// Which value of a [`Body`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(crate) usize);

/// A value: an input, an initializer or the output of a node.
#[derive(Debug, Clone)]
pub struct Value {
    /// Unique in its graph.
    pub name: String,
    /// The element type.
    pub dtype: Dtype,
    /// Outermost dimension first.
    pub shape: Vec<Dim>,
}

/// Where the bytes of an initializer are.
#[derive(Debug, Clone)]
pub enum Data {
    /// In a file of the checkpoint.
    Stored {
        /// The file, as it was opened.
        file: Arc<Path>,
        /// The first byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// In memory: constants, and weights that a pass has computed.
    Inline(Arc<[u8]>),
    /// Nowhere yet: computed when the graph is written. Initializers that name the same part share its bytes in a file.
    Computed {
        /// What is computed together.
        parts: Arc<Computed>,
        /// Which of the parts.
        part: usize,
        /// How many bytes.
        len: u64,
    },
}

impl Data {
    /// How many bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Stored { len, .. } | Self::Computed { len, .. } => *len,
            Self::Inline(bytes) => bytes.len() as u64,
        }
    }
}

/// Tensors that are computed together, from one weight: its numbers, their scales.
pub struct Computed(Box<dyn Fn() -> Result<Vec<Vec<u8>>> + Send + Sync>);

impl Computed {
    /// Tensors that are computed by this, each time they are asked for.
    pub fn new(compute: impl Fn() -> Result<Vec<Vec<u8>>> + Send + Sync + 'static) -> Self {
        Self(Box::new(compute))
    }

    /// The bytes of all parts.
    ///
    /// # Errors
    /// A weight that cannot be read, or not be stored in this way.
    pub fn compute(&self) -> Result<Vec<Vec<u8>>> {
        (self.0)()
    }
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Computed")
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// `INT`
    Int(i64),
    /// `FLOAT`
    Float(f32),
    /// `STRING`
    String(String),
    /// `INTS`
    Ints(Vec<i64>),
    /// `FLOATS`
    Floats(Vec<f32>),
}

impl From<i64> for Attribute {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<usize> for Attribute {
    fn from(value: usize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<f32> for Attribute {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Attribute {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<Vec<i64>> for Attribute {
    fn from(value: Vec<i64>) -> Self {
        Self::Ints(value)
    }
}

/// The attributes of a node, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(pub(crate) BTreeMap<&'static str, Attribute>);

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> Self {
        self.0.insert(name, value.into());
        self
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A floating-point attribute.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.0.get(name) {
            Some(Attribute::Float(value)) => Some(*value),
            _ => None,
        }
    }
}

/// One operator.
#[derive(Debug, Clone)]
pub struct Node {
    /// The operator's name.
    pub op: String,
    /// The operator's domain: empty for ONNX's own, `com.microsoft` for ONNX Runtime's, `formers` for those that a pass must lower.
    pub domain: String,
    /// Inputs in the operator's order; `None` where an optional one is left out.
    pub inputs: Vec<Option<ValueId>>,
    /// Outputs in the operator's order.
    pub outputs: Vec<ValueId>,
    /// Attributes.
    pub attributes: Attributes,
}

/// What makes two constants the same.
type ConstantKey = (Dtype, Vec<usize>, Arc<[u8]>);

/// A graph as plain data, its nodes in an order in which they can run.
#[derive(Debug)]
pub struct Body {
    /// The role: `model`, `encoder_model`, …
    pub name: String,
    /// The floating-point type that the graph computes in.
    pub float: Dtype,
    /// Who fills its inputs.
    pub caller: Caller,
    /// All values; [`ValueId`] counts them.
    pub values: Vec<Value>,
    /// All operators.
    pub nodes: Vec<Node>,
    /// The values that are weights or constants.
    pub initializers: BTreeMap<ValueId, Data>,
    /// The inputs, in order.
    pub inputs: Vec<ValueId>,
    /// What inputs are that may be left out: shapes and little-endian bytes.
    pub(crate) defaults: BTreeMap<ValueId, (Vec<usize>, Vec<u8>)>,
    /// The outputs, in order.
    pub outputs: Vec<ValueId>,
    pub(super) error: Option<Error>,
    constants: BTreeMap<ConstantKey, ValueId>,
    counts: BTreeMap<String, usize>,
}

impl Body {
    pub(super) fn new(name: &str, float: Dtype) -> Self {
        Self {
            name: name.into(),
            float,
            caller: Caller::Own,
            values: Vec::new(),
            nodes: Vec::new(),
            initializers: BTreeMap::new(),
            inputs: Vec::new(),
            defaults: BTreeMap::new(),
            outputs: Vec::new(),
            error: None,
            constants: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// One of the values.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    pub(crate) fn add_value(&mut self, name: &str, dtype: Dtype, shape: Vec<Dim>) -> ValueId {
        self.values.push(Value { name: name.into(), dtype, shape });
        ValueId(self.values.len() - 1)
    }

    /// The name gets a number where another weight has it (modules of sentence-transformers repeat theirs).
    pub(crate) fn add_initializer(&mut self, name: &str, dtype: Dtype, shape: &[usize], data: Data) -> ValueId {
        let count = self.counts.entry(format!("weight {name}")).or_default();
        *count += 1;
        let name = if *count == 1 { name.to_string() } else { format!("{name}_{count}") };
        let id = self.add_value(&name, dtype, shape.iter().map(|&d| Dim::Fixed(d)).collect());
        self.initializers.insert(id, data);
        id
    }

    pub(crate) fn add_constant(&mut self, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> ValueId {
        let key = (dtype, shape.to_vec(), Arc::<[u8]>::from(bytes));
        // A pass may have dropped one that nothing needed.
        if let Some(&id) = self.constants.get(&key).filter(|id| self.initializers.contains_key(id)) {
            return id;
        }
        let name = self.fresh_name("constant");
        let id = self.add_initializer(&name, dtype, shape, Data::Inline(key.2.clone()));
        self.constants.insert(key, id);
        id
    }

    pub(crate) fn add_node(
        &mut self,
        op: &str,
        domain: &str,
        inputs: Vec<Option<ValueId>>,
        attributes: Attributes,
        outputs: &[(Dtype, Vec<Dim>)],
    ) -> Vec<ValueId> {
        let node = self.new_node(op, domain, inputs, attributes, outputs);
        let outputs = node.outputs.clone();
        self.nodes.push(node);
        outputs
    }

    /// A node that is not yet in the list of nodes: passes place it themselves.
    pub(crate) fn new_node(
        &mut self,
        op: &str,
        domain: &str,
        inputs: Vec<Option<ValueId>>,
        attributes: Attributes,
        outputs: &[(Dtype, Vec<Dim>)],
    ) -> Node {
        let outputs = outputs
            .iter()
            .map(|(dtype, shape)| {
                let name = self.fresh_name(op);
                self.add_value(&name, *dtype, shape.clone())
            })
            .collect();
        Node { op: op.into(), domain: domain.into(), inputs, outputs, attributes }
    }

    fn fresh_name(&mut self, stem: &str) -> String {
        let count = self.counts.entry(stem.into()).or_default();
        *count += 1;
        format!("/{stem}_{count}")
    }

    pub(super) fn clone_unfinished(&self) -> Self {
        Self {
            name: self.name.clone(),
            float: self.float,
            caller: self.caller,
            values: self.values.clone(),
            nodes: self.nodes.clone(),
            initializers: self.initializers.clone(),
            inputs: self.inputs.clone(),
            defaults: self.defaults.clone(),
            outputs: self.outputs.clone(),
            error: self.error.as_ref().map(|e| Error::new(e.kind(), e)),
            constants: self.constants.clone(),
            counts: self.counts.clone(),
        }
    }
}

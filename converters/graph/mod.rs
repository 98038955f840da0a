//! The graph builder: tensors are handles that carry their graph, so that formulas read as formulas.
//!
//! An operator never returns a `Result`: the first error is kept in the graph and comes out of [`Graph::finish`]. Every
//! value has an element type and a shape whose dimensions are fixed, named or unknown.

mod body;
mod conv;
mod elementwise;
mod matmul;
mod norm;
mod reduce;
mod select;
mod shape;

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc};

pub use body::{Attribute, Attributes, Body, Computed, Data, Node, Value, ValueId};
pub use conv::{Conv, Pooling};

use crate::{Dtype, Error, Result};

/// One dimension of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known when the graph is made.
    Fixed(usize),
    /// Known when the graph runs; equal names mean equal sizes.
    Named(Arc<str>),
    /// Known when the graph runs.
    Unknown,
}

impl Dim {
    /// The size, where it is known when the graph is made.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(n) => Some(*n),
            _ => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// Who fills a graph's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caller {
    /// The loop of generation that this workspace has.
    #[default]
    Own,
    /// Other programs as well, as they run exports of Optimum: inputs that they do not know may be left out.
    Any,
}

/// A graph under construction. Clones are handles to the same graph.
#[derive(Clone)]
pub struct Graph {
    body: Rc<RefCell<Body>>,
}

/// A value of a graph under construction.
#[derive(Clone)]
pub struct Tensor {
    graph: Graph,
    id: ValueId,
}

impl Graph {
    /// An empty graph that computes in `float`; `name` is its role, such as `model` or `encoder_model`.
    pub fn new(name: &str, float: Dtype) -> Self {
        Self { body: Rc::new(RefCell::new(Body::new(name, float))) }
    }

    /// The floating-point type that this graph computes in.
    pub fn float(&self) -> Dtype {
        self.body.borrow().float
    }

    /// The same for another caller.
    #[must_use]
    pub fn called_by(self, caller: Caller) -> Self {
        self.body.borrow_mut().caller = caller;
        self
    }

    /// Who fills the inputs.
    pub fn caller(&self) -> Caller {
        self.body.borrow().caller
    }

    /// Declares an input, behind all others. One that is declared already is the same, and has this shape and place from now on.
    pub fn input(&self, name: &str, dtype: Dtype, shape: &[Dim]) -> Tensor {
        let mut body = self.body.borrow_mut();
        let declared = body.inputs.iter().copied().find(|id| body.values[id.0].name == name);
        let id = declared.unwrap_or_else(|| body.add_value(name, dtype, Vec::new()));
        body.values[id.0].shape = shape.to_vec();
        body.inputs.retain(|other| *other != id);
        body.inputs.push(id);
        drop(body);
        self.tensor(id)
    }

    /// Lets callers leave out an input of 64-bit integers, which has this shape and these values then.
    pub fn optional(&self, input: &Tensor, shape: &[usize], values: &[i64]) {
        self.body.borrow_mut().defaults.insert(input.id, (shape.to_vec(), bytemuck::cast_slice(values).to_vec()));
    }

    /// Declares an output. Floating-point outputs are given as 32-bit, whatever the graph computes in.
    pub fn output(&self, name: &str, value: &Tensor) {
        let value = if value.dtype().is_float() && value.dtype() != Dtype::F64 { value.cast(Dtype::F32) } else { value.clone() };
        let id = self.node("Identity", "", &[&value], Attributes::new(), &[(value.dtype(), value.shape())])[0].id;
        let mut body = self.body.borrow_mut();
        body.values[id.0].name = name.into();
        body.outputs.push(id);
    }

    /// Declares what an operator gives as an output itself, in the type that it has: no operator may come in between where the
    /// caller's memory is to be written in place.
    pub fn give(&self, name: &str, value: &Tensor) {
        let mut body = self.body.borrow_mut();
        body.values[value.id.0].name = name.into();
        body.outputs.push(value.id);
    }

    /// A constant of any type, from its little-endian bytes. Equal constants are stored once.
    pub fn constant(&self, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Tensor {
        if dtype.bytes(shape) != Some(bytes.len() as u64) {
            self.fail(Error::unsupported(format!("a constant of {} bytes does not fill shape {shape:?}", bytes.len())));
        }
        let id = self.body.borrow_mut().add_constant(dtype, shape, bytes);
        self.tensor(id)
    }

    /// A constant of 64-bit integers.
    pub fn ints(&self, shape: &[usize], values: &[i64]) -> Tensor {
        self.constant(Dtype::I64, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// A constant in the graph's floating-point type.
    pub fn floats(&self, shape: &[usize], values: &[f32]) -> Tensor {
        self.floats_of(self.float(), shape, values)
    }

    fn floats_of(&self, dtype: Dtype, shape: &[usize], values: &[f32]) -> Tensor {
        let bytes = match dtype {
            Dtype::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect(),
            Dtype::F64 => values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
            Dtype::I64 => values.iter().flat_map(|&v| (v as i64).to_le_bytes()).collect(),
            Dtype::I32 => values.iter().flat_map(|&v| (v as i32).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|&v| v.to_le_bytes()).collect(),
        };
        let dtype = if matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F64 | Dtype::I64 | Dtype::I32) { dtype } else { Dtype::F32 };
        self.constant(dtype, shape, bytes)
    }

    /// Several tensors as one, along an axis.
    pub fn concat(&self, tensors: &[&Tensor], axis: i64) -> Tensor {
        shape::concat(self, tensors, axis)
    }

    /// A one-dimensional tensor of 64-bit integers from parts that are known now and parts known when the graph runs.
    pub fn size(&self, parts: &[Size]) -> Tensor {
        shape::size(self, parts)
    }

    /// `0, 1, …, n - 1` as 64-bit integers, for a one-element `n`.
    pub fn range(&self, n: &Tensor) -> Tensor {
        shape::range(self, n)
    }

    /// A tensor of one repeated value, of a shape that may be known only when the graph runs.
    pub fn full(&self, parts: &[Size], value: f32, dtype: Dtype) -> Tensor {
        let scalar = self.floats_of(Dtype::F32, &[1], &[value]).cast(dtype);
        scalar.expand(parts)
    }

    /// Any operator, for those without a method: inputs may be left out, outputs are declared by type and shape.
    pub fn op(
        &self,
        op: &str,
        domain: &str,
        inputs: &[Option<&Tensor>],
        attributes: Attributes,
        outputs: &[(Dtype, Vec<Dim>)],
    ) -> Vec<Tensor> {
        let ids = inputs.iter().map(|t| t.map(|t| t.id)).collect();
        let outputs = self.body.borrow_mut().add_node(op, domain, ids, attributes, outputs);
        outputs.into_iter().map(|id| self.tensor(id)).collect()
    }

    /// Keeps the first error; [`Graph::finish`] gives it back.
    pub fn fail(&self, error: Error) {
        self.body.borrow_mut().error.get_or_insert(error);
    }

    /// The finished graph, or the first error that an operator met.
    pub fn finish(self) -> Result<Body> {
        let mut body = match Rc::try_unwrap(self.body) {
            Ok(body) => body.into_inner(),
            Err(shared) => shared.borrow().clone_unfinished(),
        };
        match body.error.take() {
            Some(error) => Err(error),
            None => Ok(body),
        }
    }

    /// A graph to go on with.
    pub(crate) fn from_body(body: Body) -> Self {
        Self { body: Rc::new(RefCell::new(body)) }
    }

    /// A handle to a value of this graph.
    pub(crate) fn handle(&self, id: ValueId) -> Tensor {
        self.tensor(id)
    }

    /// What is known of a value.
    pub(crate) fn value(&self, id: ValueId) -> Value {
        self.body.borrow().values[id.0].clone()
    }

    /// The bytes of a value that is a weight or a constant.
    pub(crate) fn data(&self, id: ValueId) -> Option<Data> {
        self.body.borrow().initializers.get(&id).cloned()
    }

    pub(crate) fn push(&self, node: Node) {
        self.body.borrow_mut().nodes.push(node);
    }

    /// What stands for an output that is left out.
    pub(crate) fn nothing(&self) -> ValueId {
        let float = self.float();
        self.body.borrow_mut().add_value("", float, Vec::new())
    }

    fn node(&self, op: &str, domain: &str, inputs: &[&Tensor], attributes: Attributes, outputs: &[(Dtype, Vec<Dim>)]) -> Vec<Tensor> {
        let inputs: Vec<_> = inputs.iter().map(|t| Some(*t)).collect();
        self.op(op, domain, &inputs, attributes, outputs)
    }

    pub(crate) fn stored(&self, name: &str, dtype: Dtype, shape: &[usize], data: Data) -> Tensor {
        let id = self.body.borrow_mut().add_initializer(name, dtype, shape, data);
        self.tensor(id)
    }

    fn tensor(&self, id: ValueId) -> Tensor {
        Tensor { graph: self.clone(), id }
    }
}

impl Tensor {
    /// The graph that this value belongs to.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn id(&self) -> ValueId {
        self.id
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.graph.body.borrow().values[self.id.0].dtype
    }

    /// The shape, outermost dimension first.
    pub fn shape(&self) -> Vec<Dim> {
        self.graph.body.borrow().values[self.id.0].shape.clone()
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.graph.body.borrow().values[self.id.0].shape.len()
    }

    /// The size of a dimension that must be known now; negative axes count from the last. Keeps an error and gives 1 where it is not.
    pub fn fixed(&self, axis: i64) -> usize {
        let shape = self.shape();
        let found = self.axis(axis).and_then(|a| shape[a].fixed());
        found.unwrap_or_else(|| {
            self.graph.fail(Error::unsupported(format!("dimension {axis} of {} must be known when the graph is made", Shape(&shape))));
            1
        })
    }

    /// The axis as an index; `None` where the tensor has no such axis.
    fn axis(&self, axis: i64) -> Option<usize> {
        let rank = self.rank() as i64;
        let index = if axis < 0 { axis + rank } else { axis };
        (0..rank).contains(&index).then_some(index as usize)
    }

    /// The axis as an index, or a kept error and 0.
    fn checked_axis(&self, op: &str, axis: i64) -> usize {
        self.axis(axis).unwrap_or_else(|| {
            self.graph.fail(Error::unsupported(format!("{op}: {} has no axis {axis}", Shape(&self.shape()))));
            0
        })
    }

    fn unary(&self, op: &str, attributes: Attributes) -> Tensor {
        self.one(op, "", &[self], attributes, self.dtype(), self.shape())
    }

    fn one(&self, op: &str, domain: &str, inputs: &[&Tensor], attributes: Attributes, dtype: Dtype, shape: Vec<Dim>) -> Tensor {
        let mut outputs = self.graph.node(op, domain, inputs, attributes, &[(dtype, shape)]);
        outputs.swap_remove(0)
    }
}

/// A part of a shape that operators such as [`Tensor::reshape`] take.
#[derive(Clone)]
pub enum Size {
    /// A number known now; for a reshape, 0 keeps the dimension and -1 takes what is left.
    Fixed(i64),
    /// A one-element tensor of 64-bit integers.
    Dynamic(Tensor),
}

impl From<usize> for Size {
    fn from(size: usize) -> Self {
        Self::Fixed(size as i64)
    }
}

impl From<i64> for Size {
    fn from(size: i64) -> Self {
        Self::Fixed(size)
    }
}

impl From<Tensor> for Size {
    fn from(size: Tensor) -> Self {
        Self::Dynamic(size)
    }
}

impl From<&Tensor> for Size {
    fn from(size: &Tensor) -> Self {
        Self::Dynamic(size.clone())
    }
}

/// A shape as messages show it.
pub(crate) struct Shape<'a>(pub(crate) &'a [Dim]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.0.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

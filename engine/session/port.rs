//! A model's inputs and outputs, as its graph declares them.

use std::fmt;

use formers_converters::Dtype;
use ort::value::{Outlet, TensorElementType, ValueType};

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name in the graph.
    pub name: String,
    /// The type of its elements; `None` for what is no tensor of numbers.
    pub dtype: Option<Dtype>,
    /// Its sizes, outermost first; empty for a single number, and where the graph does not say.
    pub shape: Vec<Dim>,
}

/// One size of a declared shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Always this.
    Fixed(usize),
    /// Any size; the same wherever the name is the same.
    Named(String),
    /// Any size.
    Unknown,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<_> = self.shape.iter().map(ToString::to_string).collect();
        match self.dtype {
            Some(dtype) => write!(f, "{}: {dtype:?} [{}]", self.name, shape.join(", ")),
            None => write!(f, "{}: no tensor of numbers", self.name),
        }
    }
}

impl Port {
    pub(super) fn new(outlet: &Outlet) -> Self {
        Self::of(outlet.name(), outlet.dtype())
    }

    pub(super) fn of(name: &str, kind: &ValueType) -> Self {
        let (dtype, shape) = match kind {
            ValueType::Tensor { ty, shape, dimension_symbols } => {
                let dim = |(index, &size): (usize, &i64)| match (usize::try_from(size), dimension_symbols.get(index)) {
                    (Ok(size), _) => Dim::Fixed(size),
                    (Err(_), Some(name)) if !name.is_empty() => Dim::Named(name.clone()),
                    _ => Dim::Unknown,
                };
                (dtype(*ty), shape.iter().enumerate().map(dim).collect())
            }
            _ => (None, Vec::new()),
        };
        Self { name: name.to_owned(), dtype, shape }
    }

    /// Whether a tensor of this shape may be its value, as far as the graph says.
    pub(super) fn allows(&self, shape: &[usize]) -> bool {
        let fits = |(dim, &size): (&Dim, &usize)| !matches!(dim, Dim::Fixed(fixed) if *fixed != size);
        self.shape.is_empty() || (self.shape.len() == shape.len() && self.shape.iter().zip(shape).all(fits))
    }
}

fn dtype(element: TensorElementType) -> Option<Dtype> {
    Some(match element {
        TensorElementType::Float32 => Dtype::F32,
        TensorElementType::Float16 => Dtype::F16,
        TensorElementType::Bfloat16 => Dtype::BF16,
        TensorElementType::Float64 => Dtype::F64,
        TensorElementType::Int64 => Dtype::I64,
        TensorElementType::Int32 => Dtype::I32,
        TensorElementType::Int16 => Dtype::I16,
        TensorElementType::Int8 => Dtype::I8,
        TensorElementType::Uint64 => Dtype::U64,
        TensorElementType::Uint32 => Dtype::U32,
        TensorElementType::Uint16 => Dtype::U16,
        TensorElementType::Uint8 => Dtype::U8,
        TensorElementType::Bool => Dtype::Bool,
        TensorElementType::Int4 => Dtype::I4,
        TensorElementType::Uint4 => Dtype::U4,
        _ => return None,
    })
}

//! The operators that read weights, and the bytes of these.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
};

use crate::{
    Dtype, Error, Result, content,
    graph::{Data, Dim, Node, ValueId},
    quantize::Matrix,
};

/// The operators that quantized weights are made for.
pub(super) enum Reader {
    /// A linear layer: what is multiplied, and the weight.
    Linear(ValueId, ValueId, Lies),
    /// A sum, which may be that of a linear layer and its bias.
    Sum(ValueId, ValueId),
    /// The rows of a table: the table, and the indices.
    Lookup(ValueId, ValueId),
}

/// How the weight of a linear layer lies in the checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lies {
    /// `[out, in]`
    ByRows,
    /// `[in, out]`
    ByColumns,
}

impl Lies {
    /// Outputs and inputs of a weight of this shape.
    pub(super) fn sizes(self, shape: &[Dim]) -> Option<[usize; 2]> {
        let [first, second] = <[usize; 2]>::try_from(fixed(shape)).ok()?;
        Some(if self == Self::ByRows { [first, second] } else { [second, first] })
    }

    /// The weight as `[out, in]`.
    pub(super) fn matrix(self, bytes: &[u8], dtype: Dtype, sizes: [usize; 2]) -> Result<Matrix<'_>> {
        if self == Self::ByRows { Matrix::new(bytes, dtype, sizes) } else { Matrix::by_columns(bytes, dtype, sizes) }
    }
}

impl Reader {
    pub(super) fn of(node: &Node) -> Option<Self> {
        let input = |i: usize| node.inputs.get(i).copied().flatten();
        let (a, b) = (input(0)?, input(1)?);
        match node.op.as_str() {
            "FusedMatMul" => {
                let plain = node.attributes.int("transB") == Some(1) && node.attributes.float("alpha").unwrap_or(1.0) == 1.0;
                plain.then_some(Self::Linear(a, b, Lies::ByRows))
            }
            "MatMul" => Some(Self::Linear(a, b, Lies::ByColumns)),
            "Add" => Some(Self::Sum(a, b)),
            "Gather" if node.attributes.int("axis").unwrap_or(0) == 0 => Some(Self::Lookup(a, b)),
            _ => None,
        }
    }
}

/// Weights are read, not mapped: converting takes long, and a file that others cut short meanwhile is an error.
pub(super) fn with_bytes<T>(data: &Data, compute: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    match data {
        Data::Inline(bytes) => compute(bytes),
        Data::Computed { parts, part, .. } => compute(parts.compute()?.get(*part).map_or(&[], Vec::as_slice)),
        Data::Stored { file, offset, len } => {
            let read = || {
                let mut opened = File::open(file)?;
                opened.seek(SeekFrom::Start(*offset))?;
                content::read(opened, *len)
            };
            compute(&read().map_err(|e| Error::io(file, e))?)
        }
    }
}

/// A shape of which all is known; 0 where it is not.
pub(super) fn fixed(shape: &[Dim]) -> Vec<usize> {
    shape.iter().map(|d| d.fixed().unwrap_or_default()).collect()
}

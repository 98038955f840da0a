//! Operators that reduce or normalize along axes.

use super::{Attributes, Dim, Tensor};

impl Tensor {
    /// The mean along axes.
    pub fn mean(&self, axes: &[i64], keep: bool) -> Tensor {
        self.reduce("ReduceMean", axes, keep)
    }

    /// The sum along axes.
    pub fn sum(&self, axes: &[i64], keep: bool) -> Tensor {
        self.reduce("ReduceSum", axes, keep)
    }

    /// The largest element along axes.
    pub fn reduce_max(&self, axes: &[i64], keep: bool) -> Tensor {
        self.reduce("ReduceMax", axes, keep)
    }

    /// The smallest element along axes.
    pub fn reduce_min(&self, axes: &[i64], keep: bool) -> Tensor {
        self.reduce("ReduceMin", axes, keep)
    }

    /// The Euclidean norm along axes.
    pub fn norm_l2(&self, axes: &[i64], keep: bool) -> Tensor {
        self.reduce("ReduceL2", axes, keep)
    }

    /// `eˣ / Σ eˣ` along an axis.
    pub fn softmax(&self, axis: i64) -> Tensor {
        self.unary("Softmax", Attributes::new().with("axis", axis))
    }

    /// The logarithm of the softmax along an axis.
    pub fn log_softmax(&self, axis: i64) -> Tensor {
        self.unary("LogSoftmax", Attributes::new().with("axis", axis))
    }

    fn reduce(&self, op: &str, axes: &[i64], keep: bool) -> Tensor {
        let gone: Vec<usize> = axes.iter().map(|&a| self.checked_axis(op, a)).collect();
        let shape = self
            .shape()
            .into_iter()
            .enumerate()
            .filter_map(|(i, dim)| match (gone.contains(&i), keep) {
                (false, _) => Some(dim),
                (true, true) => Some(Dim::Fixed(1)),
                (true, false) => None,
            })
            .collect();
        let axes = self.graph.ints(&[axes.len()], axes);
        self.one(op, "", &[self, &axes], Attributes::new().with("keepdims", i64::from(keep)), self.dtype(), shape)
    }
}

//! Operators that pick elements by index.

use super::{Attributes, Dim, Tensor};
use crate::Dtype;

impl Tensor {
    /// The slices of one axis at these indices: an embedding look-up where the axis is 0.
    pub fn gather(&self, indices: &Tensor, axis: i64) -> Tensor {
        let at = self.checked_axis("Gather", axis);
        let mut shape = self.shape();
        if at < shape.len() {
            shape.splice(at..=at, indices.shape());
        }
        self.one("Gather", "", &[self, indices], Attributes::new().with("axis", at), self.dtype(), shape)
    }

    /// One slice of an axis, which disappears.
    pub fn select_index(&self, axis: i64, index: i64) -> Tensor {
        self.gather(&self.graph.ints(&[], &[index]), axis)
    }

    /// For each index the element at the same place in the other axes (`torch.gather`).
    pub fn gather_elements(&self, indices: &Tensor, axis: i64) -> Tensor {
        let at = self.checked_axis("GatherElements", axis);
        self.one("GatherElements", "", &[self, indices], Attributes::new().with("axis", at), self.dtype(), indices.shape())
    }

    /// The slices at index tuples that share the leading `batch_dims` axes.
    pub fn gather_nd(&self, indices: &Tensor, batch_dims: usize) -> Tensor {
        let (data, index) = (self.shape(), indices.shape());
        let depth = index.last().and_then(Dim::fixed).unwrap_or(1);
        let mut shape = index[..index.len().saturating_sub(1)].to_vec();
        shape.extend(data.iter().skip(batch_dims + depth).cloned());
        self.one("GatherND", "", &[self, indices], Attributes::new().with("batch_dims", batch_dims), self.dtype(), shape)
    }

    /// The index of the largest element along an axis, which disappears; the first of equals.
    pub fn argmax(&self, axis: i64) -> Tensor {
        let at = self.checked_axis("ArgMax", axis);
        let mut shape = self.shape();
        if at < shape.len() {
            shape.remove(at);
        }
        self.one("ArgMax", "", &[self], Attributes::new().with("axis", at).with("keepdims", 0i64), Dtype::I64, shape)
    }

    /// The `k` largest elements along an axis and their indices, largest first.
    pub fn top_k(&self, k: usize, axis: i64) -> (Tensor, Tensor) {
        let at = self.checked_axis("TopK", axis);
        let mut shape = self.shape();
        if let Some(dim) = shape.get_mut(at) {
            *dim = Dim::Fixed(k);
        }
        let k = self.graph.ints(&[1], &[k as i64]);
        let mut outputs = self.graph.node(
            "TopK",
            "",
            &[self, &k],
            Attributes::new().with("axis", at),
            &[(self.dtype(), shape.clone()), (Dtype::I64, shape)],
        );
        let indices = outputs.swap_remove(1);
        (outputs.swap_remove(0), indices)
    }

    /// The indices that sort a one-dimensional tensor, smallest first; equals stay in their order.
    pub fn argsort(&self) -> Tensor {
        let (all, attributes) = (self.dim(0), Attributes::new().with("axis", 0i64).with("largest", 0i64));
        let outputs = [(self.dtype(), self.shape()), (Dtype::I64, self.shape())];
        let mut outputs = self.graph.node("TopK", "", &[self, &all], attributes, &outputs);
        outputs.swap_remove(1)
    }

    /// The running sum along an axis.
    pub fn cumsum(&self, axis: i64) -> Tensor {
        let axis = self.graph.ints(&[], &[self.checked_axis("CumSum", axis) as i64]);
        self.one("CumSum", "", &[self, &axis], Attributes::new(), self.dtype(), self.shape())
    }

    /// The lower triangle of the last two dimensions, up to the `k`-th diagonal; the rest is zero.
    pub fn tril(&self, k: i64) -> Tensor {
        let k = self.graph.ints(&[], &[k]);
        self.one("Trilu", "", &[self, &k], Attributes::new().with("upper", 0i64), self.dtype(), self.shape())
    }
}

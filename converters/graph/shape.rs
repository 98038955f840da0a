//! Operators that change or read shapes.

use super::{Attributes, Dim, Graph, Shape, Size, Tensor, elementwise::broadcast};
use crate::{Dtype, Error};

pub(super) fn concat(graph: &Graph, tensors: &[&Tensor], axis: i64) -> Tensor {
    let Some(first) = tensors.first() else {
        graph.fail(Error::unsupported("Concat: no tensors"));
        return graph.ints(&[0], &[]);
    };
    if tensors.len() == 1 {
        return (*first).clone();
    }
    let at = first.checked_axis("Concat", axis);
    let mut shape = first.shape();
    let sizes: Option<Vec<usize>> = tensors.iter().map(|t| t.shape().get(at).and_then(Dim::fixed)).collect();
    if let Some(dim) = shape.get_mut(at) {
        *dim = sizes.and_then(|sizes| total(&sizes)).map_or(Dim::Unknown, Dim::Fixed);
    }
    for other in &tensors[1..] {
        let other = other.shape();
        let fits = other.len() == shape.len()
            && (0..shape.len()).all(|i| i == at || !matches!((&shape[i], &other[i]), (Dim::Fixed(a), Dim::Fixed(b)) if a != b));
        if !fits {
            graph.fail(Error::tensor(format!("Concat: shapes {} and {} do not fit", Shape(&first.shape()), Shape(&other))));
        }
    }
    first.one("Concat", "", tensors, Attributes::new().with("axis", at), first.dtype(), shape)
}

/// The sum, where it is a number: sizes may come from a config that makes no sense.
fn total(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size))
}

pub(super) fn size(graph: &Graph, parts: &[Size]) -> Tensor {
    let fixed: Option<Vec<i64>> = parts.iter().map(|p| if let Size::Fixed(n) = p { Some(*n) } else { None }).collect();
    if let Some(values) = fixed {
        return graph.ints(&[values.len()], &values);
    }
    let parts: Vec<Tensor> = parts
        .iter()
        .map(|p| match p {
            Size::Fixed(n) => graph.ints(&[1], &[*n]),
            Size::Dynamic(t) if t.rank() == 0 => t.reshape(&[1i64.into()]),
            Size::Dynamic(t) => t.clone(),
        })
        .collect();
    concat(graph, &parts.iter().collect::<Vec<_>>(), 0)
}

pub(super) fn range(graph: &Graph, n: &Tensor) -> Tensor {
    let (zero, one) = (graph.ints(&[], &[0]), graph.ints(&[], &[1]));
    let n = if n.rank() == 0 { n.clone() } else { n.squeeze(&[0]) };
    n.one("Range", "", &[&zero, &n, &one], Attributes::new(), Dtype::I64, vec![Dim::Unknown])
}

impl Tensor {
    /// The size of one dimension as a one-element tensor of 64-bit integers: a constant where it is known now.
    pub fn dim(&self, axis: i64) -> Tensor {
        let at = self.checked_axis("Shape", axis);
        match self.shape().get(at) {
            Some(Dim::Fixed(n)) => self.graph.ints(&[1], &[*n as i64]),
            _ => {
                let attributes = Attributes::new().with("start", at).with("end", at + 1);
                self.one("Shape", "", &[self], attributes, Dtype::I64, vec![Dim::Fixed(1)])
            }
        }
    }

    /// The same elements in another shape: 0 keeps a dimension, one -1 takes what is left.
    pub fn reshape(&self, parts: &[Size]) -> Tensor {
        let old = self.shape();
        let mut shape: Vec<Dim> = parts
            .iter()
            .enumerate()
            .map(|(i, part)| match part {
                Size::Fixed(0) => old.get(i).cloned().unwrap_or(Dim::Unknown),
                Size::Fixed(n) => usize::try_from(*n).map_or(Dim::Unknown, Dim::Fixed),
                Size::Dynamic(_) => Dim::Unknown,
            })
            .collect();
        if let Some(rest) = parts.iter().position(|p| matches!(p, Size::Fixed(-1))) {
            shape[rest] = left_over(&old, &shape, rest);
        } else if let (Some(a), Some(b)) = (elements(&old), elements(&shape))
            && a != b
        {
            self.graph.fail(Error::unsupported(format!("Reshape: {} does not fill {}", Shape(&old), Shape(&shape))));
        }
        let target = self.graph.size(parts);
        self.one("Reshape", "", &[self, &target], Attributes::new(), self.dtype(), shape)
    }

    /// The dimensions in another order.
    pub fn transpose(&self, order: &[usize]) -> Tensor {
        let old = self.shape();
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if sorted != (0..old.len()).collect::<Vec<_>>() {
            self.graph.fail(Error::unsupported(format!("Transpose: {order:?} is no order of the axes of {}", Shape(&old))));
            return self.clone();
        }
        let shape = order.iter().map(|&i| old[i].clone()).collect();
        let perm: Vec<i64> = order.iter().map(|&i| i as i64).collect();
        self.one("Transpose", "", &[self], Attributes::new().with("perm", perm), self.dtype(), shape)
    }

    /// The last two dimensions exchanged.
    pub fn t(&self) -> Tensor {
        let mut order: Vec<usize> = (0..self.rank()).collect();
        if let [.., a, b] = order.as_mut_slice() {
            std::mem::swap(a, b);
        }
        self.transpose(&order)
    }

    /// New dimensions of size one, at these axes of the result.
    pub fn unsqueeze(&self, axes: &[i64]) -> Tensor {
        let rank = self.rank() + axes.len();
        let mut at: Vec<usize> = axes.iter().map(|&a| if a < 0 { (a + rank as i64).max(0) as usize } else { a as usize }).collect();
        at.sort_unstable();
        let mut shape = self.shape();
        for &i in &at {
            if i > shape.len() {
                self.graph.fail(Error::unsupported(format!("Unsqueeze: no axis {i} in {}", Shape(&shape))));
                return self.clone();
            }
            shape.insert(i, Dim::Fixed(1));
        }
        let axes = self.graph.ints(&[axes.len()], axes);
        self.one("Unsqueeze", "", &[self, &axes], Attributes::new(), self.dtype(), shape)
    }

    /// Without these dimensions, which must be of size one.
    pub fn squeeze(&self, axes: &[i64]) -> Tensor {
        let gone: Vec<usize> = axes.iter().map(|&a| self.checked_axis("Squeeze", a)).collect();
        let shape = self.shape().into_iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, d)| d).collect();
        let axes = self.graph.ints(&[axes.len()], axes);
        self.one("Squeeze", "", &[self, &axes], Attributes::new(), self.dtype(), shape)
    }

    /// Repeated along dimensions of size one, up to this shape.
    pub fn expand(&self, parts: &[Size]) -> Tensor {
        let wanted: Vec<Dim> =
            parts.iter().map(|p| if let Size::Fixed(n) = p { Dim::Fixed((*n).max(0) as usize) } else { Dim::Unknown }).collect();
        let shape = broadcast(&self.graph, "Expand", &wanted, &self.shape());
        let target = self.graph.size(parts);
        self.one("Expand", "", &[self, &target], Attributes::new(), self.dtype(), shape)
    }

    /// The part from `start` (included) to `end` (left out) of one dimension; both may be negative or beyond the end.
    pub fn slice(&self, axis: i64, start: i64, end: i64) -> Tensor {
        self.slice_steps(axis, &start.into(), &end.into(), 1)
    }

    /// As [`Tensor::slice`], with bounds that may be known only when the graph runs, and a step (negative: backwards).
    pub fn slice_steps(&self, axis: i64, start: &Size, end: &Size, step: i64) -> Tensor {
        let at = self.checked_axis("Slice", axis);
        let mut shape = self.shape();
        let count = match (shape.get(at).and_then(Dim::fixed), start, end) {
            (Some(n), Size::Fixed(start), Size::Fixed(end)) if step > 0 => {
                let n = n as i64;
                let bound = |i: i64| if i < 0 { (i + n).max(0) } else { i.min(n) };
                Dim::Fixed(((bound(*end) - bound(*start)).max(0) as usize).div_ceil(step as usize))
            }
            (Some(n), _, _) if step == -1 => Dim::Fixed(n),
            (None, Size::Fixed(s), Size::Fixed(e)) if step == 1 && *s >= 0 && s.checked_add(1) == Some(*e) => Dim::Fixed(1),
            _ => Dim::Unknown,
        };
        if let Some(dim) = shape.get_mut(at) {
            *dim = count;
        }
        let bound = |size: &Size| self.graph.size(std::slice::from_ref(size));
        let (axes, steps) = (self.graph.ints(&[1], &[at as i64]), self.graph.ints(&[1], &[step]));
        self.one("Slice", "", &[self, &bound(start), &bound(end), &axes, &steps], Attributes::new(), self.dtype(), shape)
    }

    /// Cut into parts of these sizes along an axis.
    pub fn split(&self, axis: i64, sizes: &[usize]) -> Vec<Tensor> {
        let at = self.checked_axis("Split", axis);
        let old = self.shape();
        if let Some(n) = old.get(at).and_then(Dim::fixed)
            && total(sizes) != Some(n)
        {
            self.graph.fail(Error::unsupported(format!("Split: {sizes:?} does not add up to axis {axis} of {}", Shape(&old))));
        }
        let outputs: Vec<_> = sizes
            .iter()
            .map(|&size| {
                let mut shape = old.clone();
                if let Some(dim) = shape.get_mut(at) {
                    *dim = Dim::Fixed(size);
                }
                (self.dtype(), shape)
            })
            .collect();
        let sizes: Vec<i64> = sizes.iter().map(|&s| s as i64).collect();
        let sizes = self.graph.ints(&[sizes.len()], &sizes);
        self.graph.node("Split", "", &[self, &sizes], Attributes::new().with("axis", at), &outputs)
    }

    /// Cut into `n` parts along an axis, of sizes that are known when the graph runs, `(n)`; some may be 0.
    pub fn split_by(&self, axis: i64, sizes: &Tensor, n: usize) -> Vec<Tensor> {
        let at = self.checked_axis("Split", axis);
        let mut shape = self.shape();
        if let Some(dim) = shape.get_mut(at) {
            *dim = Dim::Unknown;
        }
        self.graph.node("Split", "", &[self, sizes], Attributes::new().with("axis", at), &vec![(self.dtype(), shape); n])
    }

    /// Cut into `n` equal parts along an axis of known size.
    pub fn chunk(&self, axis: i64, n: usize) -> Vec<Tensor> {
        let size = self.fixed(axis);
        if n == 0 || !size.is_multiple_of(n) {
            self.graph.fail(Error::unsupported(format!("Split: {size} is not a multiple of {n}")));
        }
        self.split(axis, &vec![size / n.max(1); n])
    }

    /// Padded with a constant: for each axis of the tensor, how much before and after (negative cuts).
    pub fn pad(&self, before_after: &[(i64, i64)], value: f32) -> Tensor {
        let mut shape = self.shape();
        for (dim, (before, after)) in shape.iter_mut().zip(before_after) {
            if (*before, *after) != (0, 0) {
                *dim = dim.fixed().map_or(Dim::Unknown, |n| Dim::Fixed((n as i64 + before + after).max(0) as usize));
            }
        }
        let pads: Vec<i64> = before_after.iter().map(|p| p.0).chain(before_after.iter().map(|p| p.1)).collect();
        let pads = self.graph.ints(&[pads.len()], &pads);
        self.one("Pad", "", &[self, &pads, &self.scalar(value)], Attributes::new(), self.dtype(), shape)
    }
}

fn elements(shape: &[Dim]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, d| n.checked_mul(d.fixed()?))
}

/// What a -1 in a reshape comes to: dimensions that stand on both sides cancel.
fn left_over(old: &[Dim], new: &[Dim], rest: usize) -> Dim {
    let mut old: Vec<&Dim> = old.iter().collect();
    let mut others: Vec<&Dim> = new.iter().enumerate().filter(|(i, _)| *i != rest).map(|(_, d)| d).collect();
    others.retain(|d| match old.iter().position(|o| o == d && matches!(d, Dim::Named(_))) {
        Some(i) => {
            old.remove(i);
            false
        }
        None => true,
    });
    let fixed = |dims: &[&Dim]| dims.iter().try_fold(1usize, |n, d| n.checked_mul(d.fixed()?));
    let named: Vec<&&Dim> = old.iter().filter(|d| d.fixed().is_none()).collect();
    match (fixed(&old), fixed(&others)) {
        (Some(total), Some(part)) if part > 0 && total % part == 0 => Dim::Fixed(total / part),
        (None, Some(part))
            if named.len() == 1 && fixed(&old.iter().copied().filter(|d| d.fixed().is_some()).collect::<Vec<_>>()) == Some(part) =>
        {
            (**named[0]).clone()
        }
        _ => Dim::Unknown,
    }
}

//! Scaled dot-product attention.

use super::Mask;
use crate::graph::{Attributes, Size, Tensor};

/// The domain of operators that a pass must lower.
pub(crate) const DOMAIN: &str = "formers";
/// The name of the operator that [`attention`] emits.
pub(crate) const OP: &str = "Attention";

/// `softmax(scale · q kᵀ + mask) v` for each head.
///
/// `query` is `(batch, queries, heads · size)`, `key` `(batch, keys, heads · size)`, `value` `(batch, keys, heads · value
/// size)`; the result is `(batch, queries, heads · value size)`. A pass picks the operators that the target runs best.
pub fn attention(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, scale: f32, mask: &Mask) -> Tensor {
    let graph = query.graph();
    for (name, tensor) in [("query", query), ("key", key), ("value", value)] {
        if heads == 0 || tensor.rank() != 3 || !tensor.fixed(-1).is_multiple_of(heads) {
            graph.fail(crate::Error::config(format!(
                "config.json: the {name} width of {} cannot be divided among {heads} attention heads",
                tensor.fixed(-1)
            )));
            return query.clone();
        }
    }
    let mut shape = query.shape();
    shape[2] = value.fixed(-1).into();
    let inputs = [Some(query), Some(key), Some(value), mask.padding.as_ref(), mask.bias.as_ref()];
    let attributes = Attributes::new().with("num_heads", heads).with("scale", scale);
    let mut outputs = graph.op(OP, DOMAIN, &inputs, attributes, &[(query.dtype(), shape)]);
    outputs.swap_remove(0)
}

/// Keys or values of fewer heads than the queries have, each repeated for the queries that share it (grouped-query attention):
/// `(batch, sequence, groups · size)` becomes `(batch, sequence, heads · size)`.
pub fn repeat_heads(x: &Tensor, groups: usize, heads: usize) -> Tensor {
    if groups == heads {
        return x.clone();
    }
    let width = x.fixed(-1);
    let fits = groups > 0 && heads.is_multiple_of(groups) && width.is_multiple_of(groups);
    let Some(repeated) = width.checked_mul(heads / groups.max(1)).filter(|_| fits) else {
        x.graph().fail(crate::Error::config(format!("{groups} key heads of width {width} cannot be shared among {heads} attention heads")));
        return x.clone();
    };
    let apart = x.reshape(&[0i64.into(), 0i64.into(), groups.into(), 1i64.into(), (width / groups).into()]);
    let times = apart.expand(&[1i64.into(), 1i64.into(), 1i64.into(), (heads / groups).into(), 1i64.into()]);
    times.reshape(&[0i64.into(), 0i64.into(), repeated.into()])
}

/// `(batch, sequence, heads · size)` as `(batch, heads, sequence, size)`.
pub fn split_heads(x: &Tensor, heads: usize) -> Tensor {
    let size = x.fixed(-1) / heads.max(1);
    x.reshape(&[0i64.into(), 0i64.into(), heads.into(), size.into()]).transpose(&[0, 2, 1, 3])
}

/// `(batch, heads, sequence, size)` as `(batch, sequence, heads · size)`.
pub fn merge_heads(x: &Tensor) -> Tensor {
    let width = x.fixed(1) * x.fixed(-1);
    x.transpose(&[0, 2, 1, 3]).reshape(&[0i64.into(), 0i64.into(), width.into()])
}

/// The parts of a fused projection, `(batch, sequence, groups · (size + size + …))`, which stands in groups of heads that have
/// their part of each: one tensor `(batch, sequence, groups · size)` a part.
pub fn ungroup<const N: usize>(x: &Tensor, groups: usize, sizes: [usize; N]) -> [Tensor; N] {
    let whole = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size)).unwrap_or(usize::MAX);
    if groups.checked_mul(whole) != Some(x.fixed(-1)) {
        let problem =
            format!("config.json: {groups} groups of heads of widths {sizes:?} do not make a projection of width {}", x.fixed(-1));
        x.graph().fail(crate::Error::config(problem));
        return sizes.map(|_| x.clone());
    }
    let keep = || Size::from(0i64);
    let mut parts = x.reshape(&[keep(), keep(), groups.into(), whole.into()]).split(3, &sizes).into_iter();
    sizes.map(|size| parts.next().unwrap_or_else(|| x.clone()).reshape(&[keep(), keep(), (groups * size).into()]))
}

/// `1 / √size`, the usual scale.
pub fn scale(size: usize) -> f32 {
    1.0 / (size as f32).sqrt()
}

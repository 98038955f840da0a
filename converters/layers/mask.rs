//! Which tokens take part in attention.

use crate::{Dtype, graph::Tensor};

/// What attention may look at.
#[derive(Clone)]
pub struct Mask {
    /// `(batch, keys)`, 64-bit integers: 0 where a key is padding.
    pub padding: Option<Tensor>,
    /// Added to the scores: broadcast to `(batch, heads, queries, keys)`.
    pub bias: Option<Tensor>,
}

impl Mask {
    /// Everything but padding.
    pub fn padding(attention_mask: &Tensor) -> Self {
        Self { padding: Some(attention_mask.clone()), bias: None }
    }

    /// Nothing but from tokens to tokens: what is padding looks at everything alike.
    pub fn pairs(attention_mask: &Tensor) -> Self {
        let graph = attention_mask.graph();
        let token = attention_mask.cast(graph.float());
        let both = token.unsqueeze(&[1, 3]) * token.unsqueeze(&[1, 2]);
        Self { padding: None, bias: Some((both - 1.0) * -lowest(graph.float())) }
    }

    /// Everything.
    pub fn none() -> Self {
        Self { padding: None, bias: None }
    }

    /// The same mask, and nothing further away than `distance` in either direction, in sequences of `length`, a one-element tensor.
    #[must_use]
    pub fn within(&self, distance: usize, length: &Tensor) -> Self {
        let graph = length.graph();
        let places = graph.range(length);
        let apart = (places.unsqueeze(&[1]) - places.unsqueeze(&[0])).abs();
        let near = apart.less_or_equal(&graph.ints(&[], &[i64::try_from(distance).unwrap_or(i64::MAX)]));
        self.with_bias(&unless(&near).unsqueeze(&[0, 1]))
    }

    /// The same mask with a bias (relative positions, a window, …) on top of what it has.
    #[must_use]
    pub fn with_bias(&self, bias: &Tensor) -> Self {
        let bias = self.bias.as_ref().map_or_else(|| bias.clone(), |b| b + bias);
        Self { padding: self.padding.clone(), bias: Some(bias) }
    }
}

/// What is added to scores, so that attention looks at nothing unless it is `visible`.
pub fn unless(visible: &Tensor) -> Tensor {
    let graph = visible.graph();
    visible.select(&graph.floats(&[], &[0.0]), &graph.floats(&[], &[lowest(graph.float())]))
}

/// What is added to the scores of what attention must not look at.
pub(crate) fn lowest(float: Dtype) -> f32 {
    if float == Dtype::F16 { -65504.0 } else { f32::MIN }
}

//! Lowering of scaled dot-product attention.

use std::collections::BTreeMap;

use super::{Target, rewrite::rewrite};
use crate::{
    Dtype, Result,
    graph::{Attributes, Body, Graph, Node, Tensor, ValueId},
    layers::{
        attention::{DOMAIN, OP, merge_heads, split_heads},
        lowest,
    },
};

pub(super) fn lower(body: Body, target: Target) -> Result<Body> {
    let mut biases = Biases::new();
    rewrite(body, |graph, node| {
        let lowered = (node.domain == DOMAIN && node.op == OP).then(|| Call::read(graph, node))?;
        Some(vec![match target {
            // With a mask, the fused operator leaves its fastest kernel and is 1 to 3 % slower than the products.
            Target::Cpu if graph.float() == Dtype::F32 && lowered.is_unmasked() && lowered.fits_multi_head() => lowered.multi_head(),
            _ => lowered.products(&mut biases),
        }])
    })
}

/// One attention of a graph.
struct Call<'a> {
    graph: &'a Graph,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// `(batch, keys)`, 0 where a key is padding.
    padding: Option<Tensor>,
    /// Added to the scores; broadcast to `(batch, heads, queries, keys)`.
    bias: Option<Tensor>,
    heads: usize,
    scale: f32,
}

/// Sums of masks and biases, made once for all layers that share them.
type Biases = BTreeMap<(Option<ValueId>, Option<ValueId>), Tensor>;

impl<'a> Call<'a> {
    fn read(graph: &'a Graph, node: &Node) -> Self {
        let input = |i: usize| node.inputs.get(i).copied().flatten().map(|id| graph.handle(id));
        let required = |i| input(i).unwrap_or_else(|| graph.floats(&[1, 1, 1], &[0.0]));
        Self {
            graph,
            query: required(0),
            key: required(1),
            value: required(2),
            padding: input(3),
            bias: input(4),
            heads: node.attributes.int("num_heads").unwrap_or(1).max(1) as usize,
            scale: node.attributes.float("scale").unwrap_or(1.0),
        }
    }

    fn is_unmasked(&self) -> bool {
        self.padding.is_none() && self.bias.is_none()
    }

    /// ONNX Runtime's operator wants query and value heads of the same size.
    fn fits_multi_head(&self) -> bool {
        self.query.fixed(-1) == self.value.fixed(-1)
    }

    fn multi_head(&self) -> Tensor {
        let attributes = Attributes::new().with("num_heads", self.heads).with("scale", self.scale);
        let inputs = [Some(&self.query), Some(&self.key), Some(&self.value)];
        let shape = self.query.shape();
        let mut outputs = self.graph.op("MultiHeadAttention", "com.microsoft", &inputs, attributes, &[(self.query.dtype(), shape)]);
        outputs.swap_remove(0)
    }

    /// `softmax(scale · q kᵀ + bias) v`, head by head.
    fn products(&self, biases: &mut Biases) -> Tensor {
        let split = |x: &Tensor| split_heads(x, self.heads);
        let (query, key, value) = (split(&self.query), split(&self.key), split(&self.value));
        let mut scores = query.matmul_transposed(&key, self.scale);
        if let Some(bias) = self.additive(biases) {
            scores = scores + bias;
        }
        merge_heads(&scores.softmax(-1).matmul(&value))
    }

    /// Padding and bias as one tensor to add to the scores.
    fn additive(&self, biases: &mut Biases) -> Option<Tensor> {
        let key = (self.padding.as_ref().map(Tensor::id), self.bias.as_ref().map(Tensor::id));
        if let Some(known) = biases.get(&key) {
            return Some(known.clone());
        }
        let padding = self.padding.as_ref().map(|mask| {
            // 0 for a token, the lowest number for padding: (mask - 1) · -lowest.
            (mask.cast(self.graph.float()) - 1.0).unsqueeze(&[1, 2]) * -lowest(self.graph.float())
        });
        let sum = match (padding, self.bias.clone()) {
            (Some(padding), Some(bias)) => padding + bias,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        biases.insert(key, sum.clone());
        Some(sum)
    }
}

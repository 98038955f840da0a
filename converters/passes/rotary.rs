//! Lowering of rotary positions.

use super::{Target, rewrite::rewrite};
use crate::{
    Dtype, Result,
    graph::{Attributes, Body, Graph, Node, Size, Tensor},
    layers::{attention::DOMAIN, rotary::OP},
};

pub(super) fn lower(body: Body, target: Target) -> Result<Body> {
    rewrite(body, |graph, node| {
        if node.domain != DOMAIN || node.op != OP {
            return None;
        }
        let call = Call::read(graph, node)?;
        let fused = target == Target::Cpu && matches!(graph.float(), Dtype::F32 | Dtype::F16);
        Some(vec![if fused { call.fused(graph, &node.attributes) } else { call.formula(graph) }])
    })
}

struct Call {
    /// `(batch, sequence, heads · size)`
    x: Tensor,
    /// `(batch, sequence)`, or one 0.
    rows: Tensor,
    /// `(rows, rotary size / 2)`
    cos: Tensor,
    sin: Tensor,
    heads: usize,
    interleaved: bool,
}

impl Call {
    fn read(graph: &Graph, node: &Node) -> Option<Self> {
        let input = |i: usize| node.inputs.get(i).copied().flatten().map(|id| graph.handle(id));
        Some(Self {
            x: input(0)?,
            rows: input(1)?,
            cos: input(2)?,
            sin: input(3)?,
            heads: node.attributes.int("num_heads")?.max(1) as usize,
            interleaved: node.attributes.int("interleaved")? != 0,
        })
    }

    fn fused(&self, graph: &Graph, attributes: &Attributes) -> Tensor {
        let inputs = [Some(&self.x), Some(&self.rows), Some(&self.cos), Some(&self.sin)];
        let mut outputs = graph.op("RotaryEmbedding", "com.microsoft", &inputs, attributes.clone(), &[(self.x.dtype(), self.x.shape())]);
        outputs.swap_remove(0)
    }

    /// `(a, b) → (a cos - b sin, b cos + a sin)` for each pair.
    fn formula(&self, graph: &Graph) -> Tensor {
        let keep = || Size::from(0i64);
        let (size, pairs) = (self.x.fixed(-1) / self.heads, self.cos.fixed(-1));
        let x = self.x.reshape(&[keep(), keep(), self.heads.into(), size.into()]);
        let (turning, rest) = if size == 2 * pairs { (x, None) } else { split_in_two(&x, 3, 2 * pairs, size - 2 * pairs) };
        let (a, b) = if self.interleaved {
            let x = turning.reshape(&[keep(), keep(), self.heads.into(), pairs.into(), 2i64.into()]);
            (x.select_index(4, 0), x.select_index(4, 1))
        } else {
            let (a, b) = split_in_two(&turning, 3, pairs, pairs);
            (a, b.unwrap_or(turning))
        };
        // Rows by place have shape (sequence, 1, pairs), rows by token (batch, sequence, 1, pairs).
        let table = |t: &Tensor| if self.rows.rank() == 1 { t.unsqueeze(&[1]) } else { t.gather(&self.rows, 0).unsqueeze(&[2]) };
        let (cos, sin) = (table(&self.cos), table(&self.sin));
        let (c, d) = (&a * &cos - &b * &sin, &b * &cos + &a * &sin);
        let turned = if self.interleaved {
            let pairs = graph.concat(&[&c.unsqueeze(&[4]), &d.unsqueeze(&[4])], 4);
            pairs.reshape(&[keep(), keep(), self.heads.into(), (-1i64).into()])
        } else {
            graph.concat(&[&c, &d], 3)
        };
        let whole = rest.map_or(turned.clone(), |rest| graph.concat(&[&turned, &rest], 3));
        whole.reshape(&[keep(), keep(), self.x.fixed(-1).into()])
    }
}

fn split_in_two(x: &Tensor, axis: i64, first: usize, second: usize) -> (Tensor, Option<Tensor>) {
    let mut parts = x.split(axis, &[first, second]);
    let rest = parts.pop().filter(|_| !parts.is_empty());
    (parts.pop().unwrap_or_else(|| x.clone()), rest)
}

//! Rotary positions become part of cached attention, which turns queries and keys itself.

use std::collections::BTreeMap;

use super::Target;
use crate::{
    Dtype, Result,
    graph::{Body, Graph, Node, Tensor, ValueId},
    layers::{attention::DOMAIN, rotary::OP},
};

/// What half of the turning components must be a multiple of.
const STEP: usize = 8;

pub(super) fn lower(mut body: Body, target: Target) -> Result<Body> {
    if target != Target::Cpu || !matches!(body.float, Dtype::F32 | Dtype::F16) {
        return Ok(body);
    }
    let nodes = std::mem::take(&mut body.nodes);
    let graph = Graph::from_body(body);
    let mut pass = Pass { graph: &graph, rotations: BTreeMap::new(), tables: BTreeMap::new() };
    for mut node in nodes {
        if node.domain == DOMAIN && node.op == OP {
            pass.rotations.extend(node.outputs.first().map(|&turned| (turned, node.clone())));
        }
        if node.op == "GroupQueryAttention"
            && let Some(fused) = pass.fused(&node)
        {
            node = fused;
        }
        graph.push(node);
    }
    graph.finish()
}

struct Pass<'a> {
    graph: &'a Graph,
    /// By what they give.
    rotations: BTreeMap<ValueId, Node>,
    /// By the tables and the number of tokens that they are made for.
    tables: BTreeMap<(ValueId, ValueId), ValueId>,
}

impl Pass<'_> {
    /// Attention that turns queries and keys itself, where the same rotation comes before both.
    fn fused(&mut self, node: &Node) -> Option<Node> {
        let input = |i: usize| node.inputs.get(i).copied().flatten();
        let (query, key) = (self.rotations.get(&input(0)?)?.clone(), self.rotations.get(&input(1)?)?.clone());
        let total = input(6)?;
        let (rows, cos, sin) = (query.inputs.get(1).copied()??, query.inputs.get(2).copied()??, query.inputs.get(3).copied()??);
        let interleaved = query.attributes.int("interleaved")?;
        let same = query.inputs.get(1..) == key.inputs.get(1..) && key.attributes.int("interleaved")? == interleaved;
        let (heads, width) = (query.attributes.int("num_heads")?, self.graph.handle(query.inputs.first().copied()??).fixed(-1));
        let half = self.graph.handle(cos).fixed(-1);
        let whole = node.attributes.int("num_heads")? == heads && key.attributes.int("num_heads") == node.attributes.int("kv_num_heads");
        let size = width.checked_div(usize::try_from(heads).ok()?)?;
        if !same || !whole || !half.is_multiple_of(STEP) || 2 * half > size || self.graph.handle(rows).rank() != 2 {
            return None;
        }
        let mut inputs = node.inputs.clone();
        inputs.resize(inputs.len().max(10), None);
        let given = [
            (0, query.inputs.first().copied()?),
            (1, key.inputs.first().copied()?),
            (7, Some(self.longer(cos, total))),
            (8, Some(self.longer(sin, total))),
            (9, Some(rows)),
        ];
        for (place, id) in given {
            *inputs.get_mut(place)? = id;
        }
        let attributes = node.attributes.clone().with("do_rotary", 1i64).with("rotary_interleaved", interleaved);
        Some(Node { inputs, attributes, ..node.clone() })
    }

    /// A table with a row for each token of this run, and others behind, which nothing reads: the operator wants as many rows as
    /// there are tokens in all.
    fn longer(&mut self, table: ValueId, total: ValueId) -> ValueId {
        let graph = self.graph;
        let make = || {
            let (table, total) = (graph.handle(table), graph.handle(total));
            let total: Tensor = total.cast(Dtype::I64).reshape(&[1i64.into()]);
            let rest = graph.full(&[total.into(), table.fixed(-1).into()], 0.0, table.dtype());
            graph.concat(&[&table, &rest], 0).id()
        };
        *self.tables.entry((table, total)).or_insert_with(make)
    }
}

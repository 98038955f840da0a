//! Experts that are gated, as most mixtures have them: one abstract operator, which passes lower by what the weights become.

use std::ops::Range;

use super::{Activation, Routed, Weigh, attention::DOMAIN, experts};
use crate::{
    Weights,
    graph::{Attributes, Graph, Node, Tensor},
};

/// The mixture: `x`, the numbers and weights of each token's experts, and the tensors of each expert in turn.
const OP: &str = "GatedExperts";
/// Inputs before those of the experts.
const COMMON: usize = 3;

/// How a gate and what it lets through make one: `gate · σ(alpha · gate) · (up + shift)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// How sharp the gate is.
    pub alpha: f32,
    /// What is added to the other half.
    pub shift: f32,
    /// What the gate is not above, and the other half not beyond on either side.
    pub limit: Option<f32>,
}

impl Gate {
    /// `silu(gate) · up`
    pub const SILU: Self = Self { alpha: 1.0, shift: 0.0, limit: None };

    fn of(self, gate: &Tensor, up: &Tensor) -> Tensor {
        if self == Self::SILU {
            return gate.silu() * up;
        }
        let (gate, up) = match self.limit {
            Some(limit) => (gate.min(&gate.scalar(limit)), up.clip(-limit, limit)),
            None => (gate.clone(), up.clone()),
        };
        (up + self.shift) * (&gate * (&gate * self.alpha).sigmoid())
    }
}

/// The tensors of one expert.
#[derive(Clone)]
pub enum Expert<T> {
    /// Gate, up and down, each `(outputs, inputs)`.
    Apart([T; 3]),
    /// Gates and ups in turn, `(2 · inner, width)`, and down, `(width, inner)`, each with its bias; the matrices may lie the other way round.
    Paired {
        /// The matrices.
        matrices: [T; 2],
        /// Their biases.
        biases: [T; 2],
        /// Whether matrices are `(inputs, outputs)`.
        by_columns: bool,
    },
}

/// The weighted sum of what the experts of each token of `x`, `(batch, sequence, width)`, give. Weights are not negative.
pub fn gated_experts(x: &Tensor, routed: &Routed, gate: Gate, expert: impl Fn(usize) -> Expert<Tensor>) -> Tensor {
    let mut inputs = vec![x.clone(), routed.experts.clone(), routed.weights.clone()];
    let (mut paired, mut by_columns) = (false, false);
    for i in 0..routed.count {
        match expert(i) {
            Expert::Apart(matrices) => inputs.extend(matrices),
            Expert::Paired { matrices: [both, down], biases: [first, second], by_columns: turned } => {
                (paired, by_columns) = (true, turned);
                inputs.extend([both, down, first, second]);
            }
        }
    }
    let attributes = Attributes::new().with("count", routed.count).with("paired", usize::from(paired));
    let attributes = attributes.with("by_columns", usize::from(by_columns)).with("alpha", gate.alpha).with("shift", gate.shift);
    let attributes = gate.limit.map_or(attributes.clone(), |limit| attributes.with("limit", limit));
    let inputs: Vec<Option<&Tensor>> = inputs.iter().map(Some).collect();
    x.graph().op(OP, DOMAIN, &inputs, attributes, &[(x.dtype(), x.shape())]).into_iter().next().unwrap_or_else(|| x.clone())
}

/// The abstract operator, read back from a graph.
pub(crate) struct Mixture {
    pub(crate) x: Tensor,
    pub(crate) routed: Routed,
    pub(crate) gate: Gate,
    pub(crate) experts: Vec<Expert<Tensor>>,
}

impl Mixture {
    /// Whether a node is one.
    pub(crate) fn is(node: &Node) -> bool {
        node.domain == DOMAIN && node.op == OP
    }

    /// `None` for a node that is none.
    pub(crate) fn read(graph: &Graph, node: &Node) -> Option<Self> {
        if !Self::is(node) {
            return None;
        }
        let int = |name: &str| node.attributes.int(name).and_then(|n| usize::try_from(n).ok());
        let tensors: Vec<Tensor> = node.inputs.iter().flatten().map(|&id| graph.handle(id)).collect();
        let (common, each) = tensors.split_at_checked(COMMON)?;
        let [x, experts, weights] = <[Tensor; COMMON]>::try_from(common.to_vec()).ok()?;
        let (paired, by_columns) = (int("paired") == Some(1), int("by_columns") == Some(1));
        let expert = |tensors: &[Tensor]| match tensors {
            [gate, up, down] => Some(Expert::Apart([gate.clone(), up.clone(), down.clone()])),
            [both, down, first, second] => {
                Some(Expert::Paired { matrices: [both.clone(), down.clone()], biases: [first.clone(), second.clone()], by_columns })
            }
            _ => None,
        };
        let found: Vec<_> = each.chunks(if paired { 4 } else { 3 }).map(expert).collect::<Option<_>>()?;
        let float = |name: &str| node.attributes.float(name);
        let gate = Gate { alpha: float("alpha")?, shift: float("shift")?, limit: float("limit") };
        Some(Self { x, routed: Routed { experts, weights, count: int("count")? }, gate, experts: found })
    }

    /// A part of the graph for each expert.
    pub(crate) fn split(&self) -> Tensor {
        experts(&self.x, &self.routed, Weigh::Outputs, |i, x| match self.experts.get(i) {
            Some(Expert::Apart([gate, up, down])) => {
                let product = |w: &Tensor| x.matmul_transposed(w, 1.0);
                self.gate.of(&product(gate), &product(up)).matmul_transposed(down, 1.0)
            }
            Some(Expert::Paired { matrices: [both, down], biases: [first, second], by_columns }) => {
                let product = |x: &Tensor, w: &Tensor| if *by_columns { x.matmul(w) } else { x.matmul_transposed(w, 1.0) };
                let both = product(x, both) + first;
                let half = |first: i64| both.slice_steps(1, &first.into(), &i64::MAX.into(), 2);
                product(&self.gate.of(&half(0), &half(1)), down) + second
            }
            None => x.clone(),
        })
    }
}

/// How a checkpoint keeps the matrices of gated experts without biases, in a scope that both ways share.
pub struct GatedExperts<'a> {
    /// Gate, up and down of each: `{expert}.{name}.weight`.
    pub each: [&'a str; 3],
    /// Those of all in two tensors: gate over up, `(experts, 2 · inner, width)`, and down, `(experts, width, inner)`.
    pub stacked: [&'a str; 2],
}

impl GatedExperts<'_> {
    /// `down(act(gate x) · up x)` of one expert.
    pub fn of(&self, w: &Weights, expert: usize, act: Activation, x: &Tensor) -> Tensor {
        let [gate, up, down] = self.matrices(w, expert);
        let h = act.of(&x.matmul_transposed(&gate, 1.0)) * x.matmul_transposed(&up, 1.0);
        h.matmul_transposed(&down, 1.0)
    }

    /// The mixture of the experts in this scope, whose weights are not negative.
    pub fn mixture(&self, w: &Weights, routed: &Routed, act: Activation, x: &Tensor) -> Tensor {
        let [gate, ..] = self.each;
        // Other functions have no operator, and the 4-bit floats of bitsandbytes have one for a single matrix.
        if act == Activation::Silu && !w.pp(0).pp(gate).is_four_bits() {
            gated_experts(x, routed, Gate::SILU, |expert| Expert::Apart(self.matrices(w, expert)))
        } else {
            experts(x, routed, Weigh::Outputs, |expert, x| self.of(w, expert, act, x))
        }
    }

    fn matrices(&self, w: &Weights, expert: usize) -> [Tensor; 3] {
        let [both, down] = self.stacked;
        match w.shape(both).as_deref() {
            Some(&[_, twice, _]) => {
                let part = |rows: Range<usize>| w.part(both, expert, rows);
                [part(0..twice / 2), part(twice / 2..twice), w.nth(down, expert)]
            }
            _ => self.each.map(|name| w.pp(expert).pp(name).any("weight", 2)),
        }
    }
}

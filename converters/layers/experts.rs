//! Mixtures of experts (<https://arxiv.org/abs/1701.06538>): feed-forward layers of which each token passes through a few.

use super::lowest;
use crate::{
    Dtype, Error,
    graph::{Attributes, Dim, Size, Tensor},
};

/// Which experts a token passes through.
pub struct Routed {
    /// `(tokens, chosen)`
    pub(crate) experts: Tensor,
    /// How much each of them counts, `(tokens, chosen)`.
    pub(crate) weights: Tensor,
    /// How many there are to choose from.
    pub(crate) count: usize,
}

impl Routed {
    /// The `chosen` experts with the highest scores, `(tokens, experts)`, which are also their weights.
    pub fn best(scores: &Tensor, chosen: usize) -> Self {
        let (weights, experts) = scores.top_k(checked(scores, chosen), -1);
        Self { experts, weights, count: scores.fixed(-1) }
    }

    /// The `chosen` experts that are highest by `choice`, and their `scores` as weights; both `(tokens, experts)`.
    pub fn chosen_by(choice: &Tensor, scores: &Tensor, chosen: usize) -> Self {
        let (_, experts) = choice.top_k(checked(choice, chosen), -1);
        Self { weights: scores.gather_elements(&experts, -1), experts, count: scores.fixed(-1) }
    }

    /// Other weights, as a function of these.
    #[must_use]
    pub fn weighted(self, of: impl FnOnce(&Tensor) -> Tensor) -> Self {
        Self { weights: of(&self.weights), ..self }
    }

    /// The weights of each token divided by their sum, which counts as no less than `least`.
    #[must_use]
    pub fn normalized(self, least: f32) -> Self {
        let sum = self.weights.sum(&[-1], true);
        let sum = if least > 0.0 { sum.max(&sum.scalar(least)) } else { sum };
        Self { weights: &self.weights / sum, ..self }
    }

    /// The weights of each token divided by their sum and a little `more`.
    #[must_use]
    pub fn normalized_with(self, more: f32) -> Self {
        Self { weights: &self.weights / (self.weights.sum(&[-1], true) + more), ..self }
    }

    /// The weights times the factor of each expert, `(experts)`.
    #[must_use]
    pub fn scaled_each(self, factors: &Tensor) -> Self {
        Self { weights: &self.weights * factors.gather(&self.experts, 0), ..self }
    }

    /// The weights times a factor.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        if factor == 1.0 { self } else { Self { weights: &self.weights * factor, ..self } }
    }
}

/// A number of experts that can be chosen from these scores, or a kept error.
fn checked(scores: &Tensor, chosen: usize) -> usize {
    let count = scores.fixed(-1);
    if chosen == 0 || chosen > count {
        scores.graph().fail(Error::config(format!("config.json: {chosen} of {count} experts for each token make no sense")));
        return 1;
    }
    chosen
}

/// What counts as the score of a group of experts: the sum of its `best` scores.
pub struct Groups {
    /// Groups of as many experts each.
    pub count: usize,
    /// How many of them experts are chosen from.
    pub kept: usize,
    /// How many scores of a group count.
    pub best: usize,
}

impl Groups {
    /// Scores, `(tokens, experts)`, with `elsewhere` in place of those outside of the best groups.
    pub fn limit(&self, scores: &Tensor, elsewhere: f32) -> Tensor {
        let (graph, experts) = (scores.graph(), scores.fixed(-1));
        let Self { count, kept, best } = *self;
        if count == 0 || !experts.is_multiple_of(count) || kept == 0 || kept > count || best == 0 || best > experts / count {
            let problem = format!("config.json: {kept} of {count} groups of {experts} experts make no sense");
            graph.fail(Error::config(problem));
            return scores.clone();
        }
        if kept == count {
            return scores.clone();
        }
        let grouped = scores.reshape(&[(-1i64).into(), count.into(), (experts / count).into()]);
        let (_, groups) = grouped.top_k(best, -1).0.sum(&[-1], false).top_k(kept, -1);
        let numbers = graph.ints(&[count], &(0..count as i64).collect::<Vec<_>>());
        let is_kept = groups.unsqueeze(&[2]).equal(&numbers).cast(Dtype::I32).reduce_max(&[1], false).cast(Dtype::Bool);
        let limited = is_kept.unsqueeze(&[2]).select(&grouped, &grouped.scalar(elsewhere));
        limited.reshape(&[(-1i64).into(), experts.into()])
    }
}

/// What no score is below.
pub fn no_score(scores: &Tensor) -> f32 {
    lowest(scores.dtype())
}

/// Where weights go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Weigh {
    /// On what an expert is given.
    Inputs,
    /// On what it gives.
    Outputs,
}

/// The weighted sum of what the experts of each token of `x`, `(batch, sequence, width)`, give; `expert` applies one of them to `(tokens, width)`.
///
/// Tokens are put in the order of their experts and cut into a part for each. An expert that no token has chosen gets an empty part:
/// its operators end at once, and its weights are not read.
pub fn experts(x: &Tensor, routed: &Routed, weigh: Weigh, expert: impl Fn(usize, &Tensor) -> Tensor) -> Tensor {
    let (graph, count, width) = (x.graph(), routed.count, x.fixed(-1));
    let chosen = routed.experts.fixed(-1);
    let all = || Size::from(-1i64);

    let flat = routed.experts.reshape(&[all()]);
    let order = flat.argsort();
    let numbers = graph.ints(&[count], &(0..count as i64).collect::<Vec<_>>());
    let sizes = flat.unsqueeze(&[1]).equal(&numbers).cast(Dtype::I64).sum(&[0], false);
    let tokens = &order / graph.ints(&[], &[chosen as i64]);
    let mut given = x.reshape(&[all(), width.into()]).gather(&tokens, 0);
    if weigh == Weigh::Inputs {
        given = given * routed.weights.reshape(&[all(), 1i64.into()]).gather(&order, 0);
    }
    let given = of_hidden_rank(&given, &order.dim(0));
    let parts: Vec<Tensor> = given.split_by(0, &sizes, count).iter().enumerate().map(|(i, part)| expert(i, part)).collect();
    // What one token gets from its experts, side by side again: (tokens, chosen, width).
    let apart = graph.concat(&parts.iter().collect::<Vec<_>>(), 0).gather(&order.argsort(), 0);
    let width = apart.fixed(-1);
    let apart = apart.reshape(&[all(), chosen.into(), width.into()]);
    let sum = match weigh {
        Weigh::Inputs => apart.sum(&[1], false),
        Weigh::Outputs => routed.weights.unsqueeze(&[1]).matmul(&apart),
    };
    sum.reshape(&[x.dim(0).into(), all(), width.into()])
}

/// The same rows, `(rows, width)`, in a way that ONNX Runtime does not see how many dimensions they have before it runs; `count` is any
/// number that is known only then.
///
/// Where it sees that, it looks for memory to use again among what all other experts have left, and loading takes the square of their
/// number: a minute for 8 layers of 128 experts, and 4 seconds so.
fn of_hidden_rank(rows: &Tensor, count: &Tensor) -> Tensor {
    let (graph, width) = (rows.graph(), rows.fixed(-1));
    let shape = graph.ints(&[2], &[-1, i64::try_from(width).unwrap_or(i64::MAX)]);
    let whole = Size::from(count + graph.ints(&[1], &[2]));
    let shape = shape.slice_steps(0, &0i64.into(), &whole, 1);
    let outputs = [(rows.dtype(), vec![Dim::Unknown, width.into()])];
    graph.op("Reshape", "", &[Some(rows), Some(&shape)], Attributes::new(), &outputs).into_iter().next().unwrap_or_else(|| rows.clone())
}

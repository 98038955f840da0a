//! Norms of queries and keys.

use formers_converters::{Weights, graph::Tensor};

use crate::parts::blocks::{Norm, by_head, standardized};

/// How queries and keys are normalized.
#[derive(Clone, Copy)]
pub(crate) struct QkNorm {
    over: Over,
    /// The names of the weights for queries.
    query: &'static str,
    /// The names of the weights for keys.
    key: &'static str,
    /// Whether positions turn them first.
    pub(super) behind_positions: bool,
}

/// What is normalized.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Query,
    Key,
}

/// How much is normalized at once.
#[derive(Clone, Copy)]
enum Over {
    /// All heads of a token.
    All(Norm),
    /// Each head, with the same weights.
    Heads(Norm),
    /// Each head by mean and variance, with weights of its own; the epsilon.
    EachHead(f32),
}

impl QkNorm {
    /// Of all heads of a token at once, with `q_norm` and `k_norm`.
    pub(crate) const fn of_all(norm: Norm) -> Self {
        Self { over: Over::All(norm), query: "q_norm", key: "k_norm", behind_positions: false }
    }

    /// Of each head, with the same weights, `q_norm` and `k_norm`.
    pub(crate) const fn of_heads(norm: Norm) -> Self {
        Self { over: Over::Heads(norm), ..Self::of_all(norm) }
    }

    /// Of each head by mean and variance, with weights of its own: a row of `weight`, or `norms.{head}.weight`.
    pub(crate) const fn of_each_head(epsilon: f32) -> Self {
        Self { over: Over::EachHead(epsilon), ..Self::of_all(Norm::Standard(epsilon)) }
    }

    /// The same with other names of the weights.
    pub(crate) const fn named(self, [query, key]: [&'static str; 2]) -> Self {
        Self { query, key, ..self }
    }

    /// The same on what positions have turned.
    pub(crate) const fn behind_positions(self) -> Self {
        Self { behind_positions: true, ..self }
    }

    /// Queries or keys normalized, `(batch, sequence, heads · size)`; `w` is the scope of attention.
    pub(super) fn of(self, w: &Weights, part: Part, size: usize, x: &Tensor) -> Tensor {
        let w = w.pp(match part {
            Part::Query => self.query,
            Part::Key => self.key,
        });
        match self.over {
            Over::All(norm) => norm.of(&w, x),
            Over::Heads(norm) => norm.of_heads(&w, size, x),
            Over::EachHead(epsilon) => by_head(x, size, |x| standardized(x, epsilon) * rows(&w, x.fixed(2), size)),
        }
    }
}

/// The weights of each head, `(heads, size)`.
fn rows(w: &Weights, heads: usize, size: usize) -> Tensor {
    let apart = w.pp("norms");
    if !apart.exists() {
        return w.get("weight", &[heads, size]);
    }
    let weights: Vec<Tensor> = (0..heads).map(|head| apart.pp(head).get("weight", &[size])).collect();
    w.graph().concat(&weights.iter().collect::<Vec<_>>(), 0).reshape(&[heads.into(), size.into()])
}

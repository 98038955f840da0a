//! Scores from logits, and the best of them.

use serde::{Deserialize, Serialize};

/// What turns logits into scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionToApply {
    /// `1 / (1 + e⁻ˣ)` for each class by itself.
    Sigmoid,
    /// `eˣ / Σ eˣ` over the classes.
    Softmax,
    /// The logits themselves.
    None,
}

impl FunctionToApply {
    /// The scores of one row of logits.
    pub fn of(self, logits: &[f32]) -> Vec<f32> {
        match self {
            Self::Sigmoid => logits.iter().map(|x| sigmoid(*x)).collect(),
            Self::Softmax => softmax(logits),
            Self::None => logits.to_vec(),
        }
    }
}

/// `1 / (1 + e⁻ˣ)`
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `eˣ / Σ eˣ`, computed from the largest so that nothing overflows.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut scores: Vec<f32> = logits.iter().map(|x| (x - largest).exp()).collect();
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|x| *x /= sum);
    scores
}

/// The places of the scores from the largest down; equal scores keep their order.
pub fn descending(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

/// The places of the `count` largest scores, from the largest down; equal scores keep their order.
pub fn best(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let before = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if count < order.len() {
        order.select_nth_unstable_by(count, before);
        order.truncate(count);
    }
    order.sort_unstable_by(before);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_the_beginning_of_all_in_order() {
        let scores = [0.5, 2.0, -1.0, 2.0, 0.5, f32::NEG_INFINITY];
        assert_eq!(descending(&scores), [1, 3, 0, 4, 2, 5]);
        for count in 0..9 {
            assert_eq!(best(&scores, count), descending(&scores)[..count.min(6)]);
        }
        assert!(best(&[], 3).is_empty());
    }

    #[test]
    fn a_softmax_of_large_logits_does_not_overflow() {
        assert_eq!(softmax(&[1e30, 1e30]), [0.5, 0.5]);
        assert_eq!(softmax(&[f32::NEG_INFINITY, 0.0]), [0.0, 1.0]);
    }
}

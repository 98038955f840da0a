//! How sure an assistant must be of a guess to go on guessing.

/// A threshold that follows which guesses were right. As in the reference, it is where guessing on wrongly, and stopping wrongly at three
/// times its price, cost the least on the guesses so far.
#[derive(Debug, Clone)]
pub(super) struct Confidence {
    threshold: f32,
    is_on: bool,
    /// How likely each guess was, and as far as is known whether it was right.
    probabilities: Vec<f32>,
    right: Vec<bool>,
}

/// From more guesses than this the threshold is told.
const ENOUGH: usize = 5;

impl Confidence {
    /// 0 turns it off.
    pub(super) fn new(threshold: f32) -> Self {
        Self { threshold, is_on: threshold > 0.0, probabilities: Vec::new(), right: Vec::new() }
    }

    /// Whether to go on after a guess of this probability.
    pub(super) fn is_enough(&mut self, probability: f32) -> bool {
        self.probabilities.push(probability);
        !self.is_on || probability >= self.threshold
    }

    /// So many of the last guesses were right, of those that were checked; nothing is known of those behind the first wrong one.
    pub(super) fn judged(&mut self, right: usize, checked: usize) {
        self.right.extend(std::iter::repeat_n(true, right));
        if right < checked {
            self.right.push(false);
        }
        self.probabilities.truncate(self.right.len());
        self.right.truncate(self.probabilities.len());
        if self.is_on && self.right.len() > ENOUGH {
            self.threshold = self.best().unwrap_or(self.threshold);
        }
    }

    /// The threshold of least cost; `None` where all guesses were right or all wrong.
    fn best(&self) -> Option<f32> {
        let all_right = self.right.iter().filter(|right| **right).count();
        let all_wrong = self.right.len() - all_right;
        if all_right == 0 || all_wrong == 0 {
            return None;
        }
        let mut sorted: Vec<(f32, bool)> = self.probabilities.iter().copied().zip(self.right.iter().copied()).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut least, mut best) = (3.0, f32::INFINITY);
        let (mut right, mut wrong) = (0, 0);
        for (place, &(probability, is_right)) in sorted.iter().enumerate() {
            *(if is_right { &mut right } else { &mut wrong }) += 1;
            if sorted.get(place + 1).is_some_and(|next| next.0 == probability) {
                continue;
            }
            let cost = wrong as f64 / all_wrong as f64 + 3.0 * (1.0 - right as f64 / all_right as f64);
            if cost < least {
                (least, best) = (cost, probability);
            }
        }
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of the reference with the same guesses (sklearn's `roc_curve`).
    #[test]
    fn the_threshold_parts_right_from_wrong() {
        let mut confidence = Confidence::new(0.4);
        assert!(confidence.is_enough(0.4) && !confidence.is_enough(0.39));
        confidence = Confidence::new(0.4);
        for (probabilities, right) in [([0.9, 0.8, 0.3], 2), ([0.7, 0.6, 0.5], 1), ([0.95, 0.2, 0.1], 1)] {
            probabilities.iter().for_each(|p| {
                confidence.is_enough(*p);
            });
            confidence.judged(right, 3);
        }
        assert_eq!(confidence.right, [true, true, false, true, false, true, false]);
        assert_eq!(confidence.threshold, 0.7);
        let mut off = Confidence::new(0.0);
        assert!(off.is_enough(0.0));
    }
}

//! Whether a text entails hypotheses becomes scores of labels.

use super::scores::softmax;
use crate::{Error, ErrorKind, Result};

/// The score of each hypothesis. `logits` holds those of each hypothesis; `entailment` is the class of entailment, -1 for the
/// last.
///
/// Hypotheses share one softmax over their entailment, or, where each may be true by itself, each has its own over
/// contradiction and entailment. As in the reference, contradiction is the first class, or the last where that is entailment.
pub fn scores(logits: &[Vec<f32>], entailment: i64, multi_label: bool) -> Result<Vec<f32>> {
    let entailed = logits.iter().map(|row| class(row, entailment)).collect::<Result<Vec<f32>>>()?;
    if !multi_label && logits.len() > 1 {
        return Ok(softmax(&entailed));
    }
    let contradiction = if entailment == 0 { -1 } else { 0 };
    let own = |(row, entailed): (&Vec<f32>, f32)| Ok(softmax(&[class(row, contradiction)?, entailed])[1]);
    logits.iter().zip(entailed).map(own).collect()
}

/// The places of the scores from the largest down; of equal scores the last comes first, as the reference has them.
pub fn order(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    order.reverse();
    order
}

fn class(row: &[f32], class: i64) -> Result<f32> {
    let place = if class < 0 { row.len().checked_add_signed(class as isize) } else { usize::try_from(class).ok() };
    place.and_then(|place| row.get(place)).copied().ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("config.json: label2id names class {class}, but the model has {} classes", row.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn hypotheses_share_a_softmax_unless_each_stands_alone() {
        let logits = vec![vec![0.0, 1.0, 2.0], vec![1.0, 0.0, 2.0], vec![5.0, 0.0, 0.0]];
        assert!(close(&scores(&logits, 2, false).unwrap(), &softmax(&[2.0, 2.0, 0.0])));
        let alone = [softmax(&[0.0, 2.0])[1], softmax(&[1.0, 2.0])[1], softmax(&[5.0, 0.0])[1]];
        assert!(close(&scores(&logits, 2, true).unwrap(), &alone));
        assert!(close(&scores(&logits[..1], 2, false).unwrap(), &alone[..1]));
        // Entailment unknown: the last class.
        assert!(close(&scores(&logits, -1, true).unwrap(), &alone));
    }

    #[test]
    fn entailment_first_makes_contradiction_last() {
        assert!(close(&scores(&[vec![3.0, 9.0, 1.0]], 0, true).unwrap(), &[softmax(&[1.0, 3.0])[1]]));
    }

    #[test]
    fn classes_that_are_not_there_are_an_error() {
        assert!(scores(&[vec![1.0]], 2, true).unwrap_err().to_string().contains("class 2"));
        assert!(scores(&[vec![]], -1, false).is_err());
        assert!(scores(&[], 0, false).unwrap().is_empty());
    }

    #[test]
    fn of_equal_scores_the_last_comes_first() {
        assert_eq!(order(&[0.2, 0.5, 0.2, 0.1]), [1, 2, 0, 3]);
    }
}

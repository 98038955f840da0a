//! Softmax and its logarithm over a row of logits, as torch computes them in float32.

/// `xᵢ - ln Σ eˣ`, in place.
pub fn log_softmax(row: &mut [f32]) {
    let largest = largest(row);
    let sum: f64 = row.iter().map(|x| f64::from((x - largest).exp())).sum();
    let log_sum = sum.ln() as f32;
    row.iter_mut().for_each(|x| *x = (*x - largest) - log_sum);
}

/// `eˣ / Σ eˣ` into `probabilities`, which is emptied first. Where the largest logit is not finite, or one is not a number, all of them
/// are not numbers, and every comparison with them is false.
pub(crate) fn softmax_into(row: &[f32], probabilities: &mut Vec<f32>) {
    let largest = largest(row);
    probabilities.clear();
    probabilities.extend(row.iter().map(|x| (x - largest).exp()));
    let sum = probabilities.iter().map(|x| f64::from(*x)).sum::<f64>() as f32;
    probabilities.iter_mut().for_each(|x| *x /= sum);
}

/// `-Σ p ln p`; tokens of no probability count nothing.
pub(crate) fn entropy(probabilities: &[f32]) -> f32 {
    -probabilities.iter().filter(|p| **p != 0.0).map(|p| f64::from(p * p.ln())).sum::<f64>() as f32
}

/// The largest of a row; not a number where one of them is not.
pub(crate) fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a })
}

//! Biases of attention by the distance between query and key.

use crate::{
    Error,
    graph::{Size, Tensor},
};

/// What attention adds for the distance between a query and a key, `(1, heads, length, length)`.
///
/// `table` is `(buckets, heads)`, and `bucket` gives its row for a distance `key - query`. All distances from `reach` on, to either
/// side, have the row of `reach`. Made once, and passed to every layer by [`super::Mask::with_bias`].
pub fn bias(table: &Tensor, length: &Tensor, reach: i64, bucket: impl Fn(i64) -> i64) -> Tensor {
    let by_distance = rows(table, (-reach..=reach).map(bucket)).t();
    let places = table.graph().range(length);
    let distance = (places.unsqueeze(&[0]) - places.unsqueeze(&[1])).clip(-reach as f32, reach as f32) + reach as f32;
    by_distance.gather(&distance, 1).unsqueeze(&[0])
}

/// What attention adds for distances `key - query` of any shape: the same shape, and the heads behind.
///
/// `table`, `reach` and `bucket` are those of [`bias`].
pub fn at(table: &Tensor, distances: &Tensor, reach: i64, bucket: impl Fn(i64) -> i64) -> Tensor {
    rows(table, (-reach..=reach).map(bucket)).gather(&(distances.clip(-reach as f32, reach as f32) + reach as f32), 0)
}

/// What [`super::Decoding::with_distances`] adds for the distances back from 0 to `reach`, `(reach + 1, heads)`.
///
/// `table` is `(buckets, heads)`, and `bucket` gives its row for a distance `query - key`.
pub fn back(table: &Tensor, reach: i64, bucket: impl Fn(i64) -> i64) -> Tensor {
    rows(table, (0..=reach).map(bucket))
}

/// The rows of a table of buckets. An error where there is no such row.
fn rows(table: &Tensor, buckets: impl Iterator<Item = i64>) -> Tensor {
    let (graph, count) = (table.graph(), table.fixed(0) as i64);
    let buckets: Vec<i64> = buckets.collect();
    if let Some(row) = buckets.iter().find(|row| !(0..count).contains(*row)) {
        graph.fail(Error::config(format!("relative positions need bucket {row}, but the checkpoint's table has {count}")));
    }
    table.gather(&graph.ints(&[buckets.len()], &buckets), 0)
}

/// The distances `length - 1, …, 0, …, -length` from a key to its query, for a one-element `length`.
pub fn falling(length: &Tensor) -> Tensor {
    (length - 1.0) - length.graph().range(&(length * length.scalar(2.0)))
}

/// Products of each token with a vector for each distance that [`falling`] gives, `(batch, heads, length, 2 length)`, as products with the
/// vector for its distance from each other token, `(batch, heads, length, length)`.
///
/// Column `length - 1 - i + j` of row `i` becomes column `j`: rows of width `2 length` are read as rows of `2 length - 1`, so that each
/// starts one place later than the one before. Copies of whole rows cost less than an index for each element.
pub fn skew(products: &Tensor, length: &Tensor) -> Tensor {
    let keep = || Size::from(0i64);
    let flat = products.reshape(&[keep(), keep(), (-1i64).into()]).slice_steps(2, &(length - 1.0).into(), &(-1i64).into(), 1);
    let rows = flat.reshape(&[keep(), keep(), length.into(), (-1i64).into()]);
    rows.slice_steps(3, &0i64.into(), &length.into(), 1)
}

/// T5's bucket for a distance `key - query` (<https://arxiv.org/abs/1910.10683>, 2.1): half of the buckets for keys after the
/// query, and in each half those of [`bucket_back`].
pub fn bucket(distance: i64, buckets: i64, max_distance: i64) -> i64 {
    let half = buckets / 2;
    let side = if distance > 0 { half } else { 0 };
    side + bucket_back(distance.abs(), half, max_distance)
}

/// T5's bucket for a distance in one direction: half of the buckets for single distances, the rest in steps that grow up to
/// `max_distance`.
pub fn bucket_back(distance: i64, buckets: i64, max_distance: i64) -> i64 {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    // In 32 bits and in this order, as the reference rounds.
    let (exact_f, span) = (exact as f32, (max_distance as f64 / exact as f64).ln() as f32);
    let steps = (distance as f32 / exact_f).ln() / span * (buckets - exact) as f32;
    exact.saturating_add(steps as i64).min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// Where `MPNetEncoder.relative_position_bucket` of Transformers 5.23 changes, from far before the query to far after it.
    #[test]
    fn buckets_change_where_the_reference_says() {
        let changes = [
            (-90, 14),
            (-63, 13),
            (-45, 12),
            (-31, 11),
            (-22, 10),
            (-15, 9),
            (-11, 8),
            (-7, 7),
            (0, 0),
            (1, 17),
            (7, 23),
            (8, 24),
            (12, 25),
            (16, 26),
            (23, 27),
            (32, 28),
            (46, 29),
            (64, 30),
            (91, 31),
            (200, 31),
        ];
        assert_eq!(bucket(-91, 32, 128), 15);
        for pair in changes.windows(2) {
            let ((from, row), (to, next)) = (pair[0], pair[1]);
            assert_eq!(bucket(from, 32, 128), row, "at {from}");
            assert_eq!(bucket(to, 32, 128), next, "at {to}");
            if next.abs_diff(row) == 1 && from.abs() > 7 && to < 200 {
                assert_eq!(bucket(to - 1, 32, 128), row, "before {to}");
            }
        }
    }
}

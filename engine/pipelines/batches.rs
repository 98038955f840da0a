//! Which prompts run together.

/// A batch has at least so many prompts, however long they are: a step for several tokens costs little more than for one.
const FEW: usize = 8;

/// Batches of places of prompts with these lengths, the longest first, so that rows of one batch are of like length: padding is at
/// most a ninth of a batch, or the batch is small. With `exactly`, batches are as large as they may be.
pub(crate) fn by_length(lengths: &[usize], most: usize, exactly: bool) -> Vec<Vec<usize>> {
    let length = |place: usize| lengths.get(place).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(length(place)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    // Of the last batch: the longest, and the sum.
    let (mut longest, mut sum) = (0, 0_usize);
    for place in order {
        let fits = |batch: &&mut Vec<usize>| {
            let padded = longest * (batch.len() + 1);
            batch.len() < most && (exactly || batch.len() < FEW || padded * 8 <= (sum + length(place)) * 9)
        };
        match batches.last_mut().filter(fits) {
            Some(batch) => {
                batch.push(place);
                sum += length(place);
            }
            None => {
                batches.push(vec![place]);
                (longest, sum) = (length(place), length(place));
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::by_length;

    #[test]
    fn rows_of_a_batch_are_of_like_length() {
        let lengths: Vec<usize> = (0..64).map(|i| 8 + (i * 37 % 64) * 8).collect();
        let batches = by_length(&lengths, 32, false);
        let mut places: Vec<usize> = batches.concat();
        places.sort_unstable();
        assert_eq!(places, (0..64).collect::<Vec<_>>());
        let padded: usize = batches.iter().map(|batch| batch.len() * batch.iter().map(|&i| lengths[i]).max().unwrap()).sum();
        assert!(padded * 100 < lengths.iter().sum::<usize>() * 115, "{padded}");
        assert!(batches.len() <= 8, "{batches:?}");
    }

    #[test]
    fn batches_are_as_large_as_they_may_be_where_that_is_asked_for() {
        assert_eq!(by_length(&[1, 100, 2, 50, 3], 2, true), [vec![1, 3], vec![4, 2], vec![0]]);
        assert_eq!(by_length(&[5, 5, 5], 1, false), [[0], [1], [2]]);
        assert_eq!(by_length(&[512, 8, 9], 32, false), [[0, 2, 1]]);
        assert_eq!(by_length(&[], 8, false), Vec::<Vec<usize>>::new());
    }
}

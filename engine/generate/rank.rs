//! The largest of many without sorting them all, ordered as torch orders: what is not a number is the largest, ties go to the first.

use std::cmp::Ordering;

/// A score and where it stands.
pub(crate) type Ranked = (f32, usize);

/// From the smallest to the largest, what is not a number last.
pub(crate) fn ascending(a: f32, b: f32) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn best_first(a: &Ranked, b: &Ranked) -> Ordering {
    ascending(b.0, a.0).then(a.1.cmp(&b.1))
}

/// The `count` largest, from the largest down, into `best`, which is emptied first. One pass: candidates gather in a buffer twice as
/// long as wanted, and each time it is full its lesser half goes, which raises the bar for the rest.
pub(crate) fn top(scores: impl IntoIterator<Item = f32>, count: usize, best: &mut Vec<Ranked>) {
    best.clear();
    if count == 0 {
        return;
    }
    let mut bar = None;
    for (place, score) in scores.into_iter().enumerate() {
        if bar.is_some_and(|bar| ascending(score, bar) != Ordering::Greater) {
            continue;
        }
        best.push((score, place));
        if best.len() >= count.saturating_mul(2) {
            best.select_nth_unstable_by(count - 1, best_first);
            best.truncate(count);
            bar = best.last().map(|(score, _)| *score);
        }
    }
    best.sort_unstable_by(best_first);
    best.truncate(count);
}

/// The first of the largest.
pub(crate) fn argmax(scores: &[f32]) -> Option<usize> {
    // Most stretches have nothing larger than what was found: that is seen without a decision for each score.
    const STRETCH: usize = 256;
    let mut best: Option<Ranked> = None;
    for (stretch, scores) in scores.chunks(STRETCH).enumerate() {
        if best.is_some_and(|(bar, _)| scores.iter().fold(true, |none, score| none & (*score <= bar))) {
            continue;
        }
        for (place, score) in scores.iter().enumerate() {
            if best.is_none_or(|(bar, _)| ascending(*score, bar) == Ordering::Greater) {
                best = Some((*score, stretch * STRETCH + place));
            }
        }
    }
    best.map(|(_, place)| place)
}

/// A token with the key that orders it and its share of the mass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighted {
    pub(crate) key: f32,
    pub(crate) place: usize,
    pub(crate) mass: f32,
}

impl Weighted {
    /// From the smallest key up; ties from the first on.
    pub(crate) fn order(a: &Self, b: &Self) -> Ordering {
        ascending(a.key, b.key).then(a.place.cmp(&b.place))
    }
}

/// How many tokens, from the smallest key up, have a running sum of masses, `before` included, that is `within` bounds. Afterwards those come first in
/// `tokens`, and the one after them, if any, stands where sorting would put it. Halves instead of sorting, so it takes linear time.
pub(crate) fn count_within(tokens: &mut [Weighted], mut before: f64, within: impl Fn(f32) -> bool) -> usize {
    let (mut start, mut end) = (0, tokens.len());
    while end - start > 64 {
        let middle = (end - start) / 2;
        let open = &mut tokens[start..end];
        open.select_nth_unstable_by(middle, Weighted::order);
        let mass: f64 = open[..=middle].iter().map(|t| f64::from(t.mass)).sum();
        if within((before + mass) as f32) {
            before += mass;
            start += middle + 1;
        } else {
            end = start + middle;
        }
    }
    tokens[start..end].sort_unstable_by(Weighted::order);
    let mut count = start;
    for token in &tokens[start..end] {
        before += f64::from(token.mass);
        if !within(before as f32) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(seed: u32, count: usize) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 24) as f32) / 16.0 - 8.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_top_is_the_head_of_a_stable_sort() {
        for (seed, count) in [(1, 1000), (2, 7), (3, 300)] {
            let mut values = scores(seed, count);
            values[3] = f32::NAN;
            values[5] = f32::NEG_INFINITY;
            let mut sorted: Vec<usize> = (0..count).collect();
            sorted.sort_by(|&a, &b| ascending(values[b], values[a]));
            for k in [0, 1, 2, 5, 50, 2000] {
                let mut best = Vec::new();
                top(values.iter().copied(), k, &mut best);
                assert_eq!(best.iter().map(|b| b.1).collect::<Vec<_>>(), sorted[..k.min(count)]);
            }
            assert_eq!(argmax(&values), Some(3));
        }
    }

    #[test]
    fn the_first_of_the_largest_is_found_wherever_it_is() {
        for place in [0, 1, 255, 256, 700, 999] {
            let mut values = scores(4, 1000);
            let largest = if place == 700 { f32::NAN } else { 9.0 };
            values[place..].iter_mut().step_by(100).for_each(|value| *value = largest);
            assert_eq!(argmax(&values), Some(place));
        }
        assert_eq!(argmax(&[f32::NEG_INFINITY; 600]), Some(0));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn counting_by_halves_is_counting_in_order() {
        let keys = scores(9, 1000);
        let tokens: Vec<Weighted> = keys.iter().enumerate().map(|(place, key)| Weighted { key: *key, place, mass: 1.0 / 1024.0 }).collect();
        let mut sorted = tokens.clone();
        sorted.sort_by(Weighted::order);
        for wanted in [0, 1, 63, 64, 500, 999, 1000] {
            let mut tokens = tokens.clone();
            let count = count_within(&mut tokens, 0.0, |sum| sum <= wanted as f32 / 1024.0);
            assert_eq!(count, wanted);
            assert_eq!(tokens.get(count).map(|t| t.place), sorted.get(count).map(|t| t.place));
            let mut head: Vec<usize> = tokens[..count].iter().map(|t| t.place).collect();
            let mut expected: Vec<usize> = sorted[..count].iter().map(|t| t.place).collect();
            head.sort_unstable();
            expected.sort_unstable();
            assert_eq!(head, expected);
        }
    }
}

//! How long runs take.

use std::time::Instant;

use anyhow::Result;

/// Durations in milliseconds, sorted.
pub(super) struct Times(Vec<f64>);

impl Times {
    /// What each of some runs takes.
    pub(super) fn of(runs: u32, mut run: impl FnMut() -> Result<f64>) -> Result<Self> {
        Ok(Self::new((0..runs).map(|_| run()).collect::<Result<_>>()?))
    }

    pub(super) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    pub(super) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn median(&self) -> f64 {
        let middle = |index: usize| self.0.get(index).copied().unwrap_or_default();
        (middle(self.0.len().saturating_sub(1) / 2) + middle(self.0.len() / 2)) / 2.0
    }
}

pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd_counts() {
        for (times, median) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5), (vec![], 0.0)] {
            assert_eq!(Times::new(times).median(), median);
        }
    }
}

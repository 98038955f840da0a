//! The choice of a token: the best, or by chance.
//!
//! Chance is ChaCha with 8 rounds, seeded by `seed_from_u64` of the call's seed: the same seed gives the same tokens on every machine
//! and in every version, but not those of torch, whose numbers depend on how it was built.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::rank::{self, Ranked, top};
use super::scores::softmax_into;
use crate::{Error, Result};

/// The place of the largest score, the first where several tie, as `torch.argmax`. Also a score that is not a number is the largest.
pub fn argmax(scores: &[f32]) -> Option<usize> {
    rank::argmax(scores)
}

/// Chooses by chance, repeatably.
#[derive(Debug, Clone)]
pub struct Sampler {
    random: ChaCha8Rng,
    probabilities: Vec<f32>,
    best: Vec<Ranked>,
}

impl Sampler {
    /// The same seed makes the same choices.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), probabilities: Vec::new(), best: Vec::new() }
    }

    /// A sampler that is different every time.
    pub fn from_time() -> Self {
        use std::hash::{BuildHasher, RandomState};
        // The standard library's keys come from the operating system.
        Self::new(RandomState::new().hash_one(0))
    }

    /// One token, each as likely as the softmax of the logits says.
    pub fn choose(&mut self, logits: &[f32]) -> Result<usize> {
        softmax_into(logits, &mut self.probabilities);
        self.draw()
    }

    /// One of the probabilities.
    fn draw(&mut self) -> Result<usize> {
        let sum = checked_sum(&self.probabilities)?;
        let mut left = uniform(&mut self.random) * sum;
        let mut chosen = None;
        for (place, p) in self.probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            chosen = Some(place);
            left -= f64::from(*p);
            if left < 0.0 {
                break;
            }
        }
        chosen.ok_or_else(nothing_left)
    }

    /// One token, each as likely as the softmax of the logits says, if need be not the guess that another distribution made: it stays
    /// where it is as likely here as there, and otherwise in that proportion (<https://arxiv.org/abs/2211.17192>, algorithm 1). With a
    /// weight below 1 it stays more often (<https://arxiv.org/abs/2604.07622>).
    pub(crate) fn choose_or_keep(&mut self, logits: &[f32], guess: usize, guessed: &[f32], weight: Option<f64>) -> Result<usize> {
        softmax_into(logits, &mut self.probabilities);
        checked_sum(&self.probabilities)?;
        let of = |probabilities: &[f32]| f64::from(probabilities.get(guess).copied().unwrap_or(0.0));
        let (here, there) = (of(&self.probabilities), of(guessed));
        let kept = weight.map_or(here, |weight| (1.0 - weight) * there + weight * here);
        if kept > 0.0 && uniform(&mut self.random) * there <= kept {
            return Ok(guess);
        }
        let guessed = guessed.iter().copied().chain(std::iter::repeat(0.0));
        let left = self.probabilities.iter().zip(guessed).map(|(here, there)| (here - there).max(0.0)).collect::<Vec<f32>>();
        // Where both are the same but for rounding, nothing is left.
        if checked_sum(&left).is_ok() {
            self.probabilities = left;
        }
        self.draw()
    }

    /// So many different tokens, in the order in which they were drawn, each as likely as its share of what is left: each is raced
    /// against the others with a clock that rings by its probability.
    pub fn choose_many(&mut self, logits: &[f32], count: usize) -> Result<Vec<usize>> {
        softmax_into(logits, &mut self.probabilities);
        checked_sum(&self.probabilities)?;
        let possible = self.probabilities.iter().filter(|p| **p > 0.0).count();
        if possible < count {
            let message =
                format!("{possible} continuations have a probability, and beam sampling needs {count}; let more through (top_k, top_p, …)");
            return Err(Error::request("num_beams", message));
        }
        Ok(self.race(count))
    }

    /// As [`Self::choose_many`], and where too few tokens have a probability, behind those the best of the others.
    pub fn choose_few(&mut self, logits: &[f32], count: usize) -> Result<Vec<usize>> {
        softmax_into(logits, &mut self.probabilities);
        checked_sum(&self.probabilities)?;
        let possible = self.probabilities.iter().filter(|p| **p > 0.0).count();
        let mut chosen = self.race(count.min(possible));
        if chosen.len() < count {
            top(logits.iter().copied(), count, &mut self.best);
            let others: Vec<usize> = self.best.iter().map(|(_, place)| *place).filter(|place| !chosen.contains(place)).collect();
            chosen.extend(others.into_iter().take(count - chosen.len()));
        }
        Ok(chosen)
    }

    /// So many tokens, each as likely as its share of what is left.
    fn race(&mut self, count: usize) -> Vec<usize> {
        for p in &mut self.probabilities {
            *p = if *p > 0.0 { (f64::from(*p).ln() - exponential(uniform(&mut self.random)).ln()) as f32 } else { f32::NEG_INFINITY };
        }
        top(self.probabilities.iter().copied(), count, &mut self.best);
        self.best.iter().map(|(_, place)| *place).collect()
    }
}

/// From 0 up to but not 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The time until a clock rings that does so once per unit of time on average; above 0.
fn exponential(uniform: f64) -> f64 {
    (-(1.0 - uniform).ln()).max(f64::MIN_POSITIVE)
}

fn checked_sum(probabilities: &[f32]) -> Result<f64> {
    let sum: f64 = probabilities.iter().map(|p| f64::from(*p)).sum();
    if sum.is_finite() && sum > 0.0 { Ok(sum) } else { Err(nothing_left()) }
}

fn nothing_left() -> Error {
    let message = "cannot sample: the logits are infinite or not numbers, or every token is forbidden; remove_invalid_values replaces them";
    Error::request("do_sample", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices_and_another_does_not() {
        let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin()).collect();
        let run = |seed| {
            let mut sampler = Sampler::new(seed);
            (0..40).map(|_| sampler.choose(&logits).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        // These must never change: a seed is part of what a user stores.
        assert_eq!(run(7)[..8], SEVEN);
    }

    const SEVEN: [usize; 8] = [6, 8, 37, 37, 29, 19, 2, 43];

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let logits = [0.0, f32::NEG_INFINITY, 2.0f32.ln(), 5.0f32.ln()];
        let mut sampler = Sampler::new(3);
        let (mut ones, mut first_of_two) = ([0; 4], [0; 4]);
        for _ in 0..8000 {
            ones[sampler.choose(&logits).unwrap()] += 1;
            let pair = sampler.choose_many(&logits, 2).unwrap();
            assert_ne!(pair[0], pair[1]);
            first_of_two[pair[0]] += 1;
        }
        for counts in [ones, first_of_two] {
            assert_eq!(counts[1], 0);
            assert!((900..1100).contains(&counts[0]) && (1850..2150).contains(&counts[2]), "{counts:?}");
        }
    }

    /// Guesses of another distribution change how often nothing new is drawn, but not how often a token comes.
    #[test]
    fn guesses_do_not_change_what_is_likely() {
        let logits = [0.0, 2.0f32.ln(), 5.0f32.ln(), f32::NEG_INFINITY];
        let guessed = [0.5f32, 0.25, 0.0, 0.25];
        let (mut sampler, mut guesser) = (Sampler::new(3), Sampler::new(4));
        let (mut counts, mut kept) = ([0; 4], 0);
        for _ in 0..8000 {
            let guess = guesser.choose(&guessed.map(f32::ln)).unwrap();
            let chosen = sampler.choose_or_keep(&logits, guess, &guessed, None).unwrap();
            counts[chosen] += 1;
            kept += usize::from(chosen == guess);
        }
        assert_eq!(counts[3], 0);
        assert!((900..1100).contains(&counts[0]) && (1850..2150).contains(&counts[1]), "{counts:?}");
        // The share that both have in common: 1/8 + 1/4.
        assert!((2850..3150).contains(&kept), "{kept}");
        assert!(sampler.choose_or_keep(&[f32::NAN], 0, &[1.0], None).is_err());
        // With a weight also what is not likely here stays, in proportion to the rest of it.
        let (never, surely) = ([0.0, f32::NEG_INFINITY], [0.0, 1.0]);
        let kept = (0..8000).filter(|_| sampler.choose_or_keep(&never, 1, &surely, Some(0.75)).unwrap() == 1).count();
        assert!((1850..2150).contains(&kept), "{kept}");
        assert_eq!(sampler.choose_or_keep(&[0.0], 0, &[1.0], None).unwrap(), 0);
    }

    #[test]
    fn impossible_choices_are_errors() {
        let mut sampler = Sampler::new(0);
        for logits in [&[f32::NEG_INFINITY; 3][..], &[f32::NAN, 0.0], &[f32::INFINITY, 0.0], &[]] {
            assert!(sampler.choose(logits).is_err(), "{logits:?}");
        }
        assert!(sampler.choose_many(&[0.0, f32::NEG_INFINITY], 2).is_err());
        assert_eq!(sampler.choose_few(&[f32::NEG_INFINITY, -2e9, 0.0, -1e9], 3).unwrap(), [2, 3, 1]);
        assert_eq!(sampler.choose_few(&[f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0], 3).unwrap(), [2, 0, 1]);
        assert!(sampler.choose_few(&[f32::NEG_INFINITY; 2], 1).is_err());
    }
}

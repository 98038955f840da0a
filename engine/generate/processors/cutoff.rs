//! Processors that drop tokens below a probability: relative to the best (`min_p`), fixed (`epsilon_cutoff`), or by entropy
//! (`eta_cutoff`).

use super::top::is_distribution;
use super::{Processor, Row};
use crate::generate::rank::{Ranked, top};
use crate::generate::scores::{entropy, softmax_into};
use crate::{Error, Result};

/// `min_p`: tokens of at least `min_p` times the probability of the best.
#[derive(Debug, Clone)]
pub struct MinP {
    part: f32,
    keep: usize,
    probabilities: Vec<f32>,
    best: Vec<Ranked>,
}

impl MinP {
    /// `min_p` must lie from 0 to 1; the `keep` best tokens stay.
    pub fn new(min_p: f64, keep: usize) -> Result<Self> {
        if (0.0..=1.0).contains(&min_p) {
            return Ok(Self { part: min_p as f32, keep: keep.max(1), probabilities: Vec::new(), best: Vec::new() });
        }
        Err(Error::request("min_p", format!("must lie from 0 to 1, not {min_p}")))
    }
}

impl Processor for MinP {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        softmax_into(logits, &mut self.probabilities);
        top(self.probabilities.iter().copied(), self.keep, &mut self.best);
        let Some((largest, _)) = self.best.first() else { return Ok(()) };
        let bar = self.part * largest;
        self.best.iter().for_each(|(_, place)| self.probabilities[*place] = f32::INFINITY);
        remove_below(logits, &self.probabilities, bar);
        Ok(())
    }
}

/// `epsilon_cutoff`: tokens of at least a probability, and at least the best ones.
#[derive(Debug, Clone)]
pub struct EpsilonCutoff {
    epsilon: f32,
    keep: usize,
    probabilities: Vec<f32>,
    best: Vec<Ranked>,
}

impl EpsilonCutoff {
    /// `epsilon` must lie between 0 and 1; the `keep` best tokens stay.
    pub fn new(epsilon: f64, keep: usize) -> Result<Self> {
        Ok(Self { epsilon: between(epsilon, "epsilon_cutoff")?, keep: keep.max(1), probabilities: Vec::new(), best: Vec::new() })
    }
}

impl Processor for EpsilonCutoff {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        softmax_into(logits, &mut self.probabilities);
        keep_best(logits, &mut self.probabilities, self.keep, &mut self.best);
        remove_below(logits, &self.probabilities, self.epsilon);
        Ok(())
    }
}

/// `eta_cutoff`: as `epsilon_cutoff`, with a lower bar the higher the entropy: `min(ε, √ε · e^-entropy)`.
#[derive(Debug, Clone)]
pub struct EtaCutoff {
    epsilon: f32,
    keep: usize,
    probabilities: Vec<f32>,
    best: Vec<Ranked>,
}

impl EtaCutoff {
    /// `epsilon` must lie between 0 and 1; the `keep` best tokens stay.
    pub fn new(epsilon: f64, keep: usize) -> Result<Self> {
        Ok(Self { epsilon: between(epsilon, "eta_cutoff")?, keep: keep.max(1), probabilities: Vec::new(), best: Vec::new() })
    }
}

impl Processor for EtaCutoff {
    fn process(&mut self, _: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        is_distribution(logits, "eta_cutoff")?;
        softmax_into(logits, &mut self.probabilities);
        let eta = self.epsilon.sqrt() * (-entropy(&self.probabilities)).exp();
        keep_best(logits, &mut self.probabilities, self.keep, &mut self.best);
        remove_below(logits, &self.probabilities, eta.min(self.epsilon));
        Ok(())
    }
}

/// Raises the probabilities of the `keep` best tokens, and of those that tie with the last of them, above every bar.
fn keep_best(logits: &[f32], probabilities: &mut [f32], keep: usize, best: &mut Vec<Ranked>) {
    top(logits.iter().copied(), keep, best);
    let Some((bar, _)) = best.last() else { return };
    logits.iter().zip(probabilities).filter(|(x, _)| **x >= *bar).for_each(|(_, p)| *p = f32::INFINITY);
}

fn remove_below(logits: &mut [f32], probabilities: &[f32], bar: f32) {
    logits.iter_mut().zip(probabilities).filter(|(_, p)| **p < bar).for_each(|(x, _)| *x = f32::NEG_INFINITY);
}

fn between(epsilon: f64, name: &str) -> Result<f32> {
    if epsilon > 0.0 && epsilon < 1.0 {
        return Ok(epsilon as f32);
    }
    Err(Error::request(name, format!("must lie between 0 and 1, not {epsilon}")))
}

//! Filters that differ by phase: each output sample is a weighted sum of the inputs around it.

use crate::{Error, ErrorKind, Result};

/// The most filter weights that are kept: rates that need more have no place in sound.
const MAX_WEIGHTS: u64 = 1 << 24;

/// A filter for each of `phases` positions between two input samples, and one more for the next sample's first.
pub(super) struct Polyphase {
    /// Positions between two input samples.
    pub(super) phases: usize,
    /// Weights in one filter.
    pub(super) length: usize,
    /// The filters, one after the other: `phases`, or one more where positions fall between them.
    pub(super) weights: Vec<f32>,
    /// From one output to the next, in units of a phase: `step / step_divisor`.
    pub(super) step: u64,
    /// See `step`.
    pub(super) step_divisor: u64,
}

impl Polyphase {
    /// Refuses filters of absurd size before they are made.
    pub(super) fn check_size(phases: u64, length: u64, from: u32, to: u32) -> Result<()> {
        if phases.saturating_mul(length) > MAX_WEIGHTS {
            return Err(Error::new(ErrorKind::Media, format!("resampling from {from} Hz to {to} Hz is not supported")));
        }
        Ok(())
    }

    /// Filters `input`, whose sample 0 is where the first output's filter starts. Stops after `count` outputs, or where a filter
    /// would reach past the end.
    pub(super) fn run(&self, input: &[f32], count: usize) -> Vec<f32> {
        let mut output = Vec::with_capacity(count);
        let (step, rest) = (self.step / self.step_divisor, self.step % self.step_divisor);
        let (mut position, mut fraction) = (0u64, 0u64);
        while output.len() < count {
            let start = (position / self.phases as u64) as usize;
            let phase = (position % self.phases as u64) as usize;
            let Some(window) = input.get(start..start + self.length) else { break };
            let mut value = dot(window, self.filter(phase));
            if fraction != 0 {
                let next = dot(window, self.filter(phase + 1));
                value += (next - value) * fraction as f32 / self.step_divisor as f32;
            }
            output.push(value);
            position += step;
            fraction += rest;
            if fraction >= self.step_divisor {
                fraction -= self.step_divisor;
                position += 1;
            }
        }
        output
    }

    /// Where the first filter starts that reaches past the end of an input of this length (at least one filter's).
    pub(super) fn first_past(&self, input_length: usize) -> usize {
        let (phases, divisor) = (self.phases as u128, u128::from(self.step_divisor));
        let starts = (input_length + 1 - self.length) as u128;
        // Output n starts at floor(n * step / divisor / phases), so the first n with n * step >= starts * phases * divisor.
        let n = (starts * phases * divisor).div_ceil(u128::from(self.step));
        (n * u128::from(self.step) / divisor / phases) as usize
    }

    fn filter(&self, phase: usize) -> &[f32] {
        &self.weights[phase * self.length..(phase + 1) * self.length]
    }
}

/// Eight sums side by side, which the compiler makes vectors of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

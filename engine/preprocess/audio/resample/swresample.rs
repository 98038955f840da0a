//! The resampler of ffmpeg's libswresample with its default options: a sinc under a Kaiser window, 32 zero crossings of the lower
//! rate, cut off at 0.97 of its Nyquist frequency, in exact phases where 1024 are enough and interpolated between 1024 otherwise.
//! Sound is mirrored at both ends.

use std::f64::consts::PI;

use super::greatest_common_divisor;
use super::polyphase::Polyphase;
use crate::Result;

/// Zero crossings, unless others are asked for.
pub(super) const FILTER_SIZE: f64 = 32.0;
const CUTOFF: f64 = 0.97;
const PHASES: u64 = 1024;
const KAISER_BETA: f64 = 9.0;

pub(super) fn resample(samples: &[f32], from: u32, to: u32, filter_size: f64) -> Result<Vec<f32>> {
    let divisor = greatest_common_divisor(u64::from(from), u64::from(to));
    let (input_rate, output_rate) = (u64::from(from) / divisor, u64::from(to) / divisor);
    let factor = (f64::from(to) * CUTOFF / f64::from(from)).min(1.0);
    let length = ((filter_size / factor).ceil().max(1.0) as u64).next_multiple_of(2);
    let exact = output_rate <= PHASES;
    let phases = if exact { output_rate } else { PHASES };
    Polyphase::check_size(phases + 1, length, from, to)?;

    let weights = filters(factor, length as usize, phases as usize);
    let common = greatest_common_divisor(input_rate * phases, output_rate);
    let (step, step_divisor) = (input_rate * phases / common, output_rate / common);
    let filters = Polyphase { phases: phases as usize, length: length as usize, weights, step, step_divisor };

    let Some(input) = mirrored(samples, &filters) else { return Ok(Vec::new()) };
    let count = (samples.len() as u128 * u128::from(to)).div_ceil(u128::from(from));
    Ok(filters.run(&input, count as usize))
}

/// The samples with what the filter sees before and after them: the start mirrored at the first sample, the end behind the last.
/// Nothing where the sound is too short to fill a filter.
fn mirrored(samples: &[f32], filters: &Polyphase) -> Option<Vec<f32>> {
    let (count, length) = (samples.len(), filters.length);
    let before = (length - 1) / 2;
    // The end is mirrored once the filter has come as far as it can without: half of the samples still in use then come back.
    let unused = if count <= length { count } else { before + count - filters.first_past(before + count) };
    let after = unused.min(length).div_ceil(2);
    if count + after < length + 1 {
        return None;
    }
    let tail = samples.iter().rev().take(after);
    // A short sound's start is mirrored from its mirrored end.
    let start: Vec<f32> = samples.iter().chain(tail.clone()).skip(1).take(before).copied().collect();
    let mut input = Vec::with_capacity(before + count + after);
    input.extend(start.iter().rev());
    input.extend_from_slice(samples);
    input.extend(tail);
    Some(input)
}

/// One filter per phase and one more, which is the first moved by a sample.
fn filters(factor: f64, length: usize, phases: usize) -> Vec<f32> {
    let centre = (length - 1) / 2;
    let kernel = |phase: usize, tap: usize| -> f64 {
        let x = PI * (tap as f64 - centre as f64 - phase as f64 / phases as f64) * factor;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        let w = 2.0 * x / (factor * length as f64 * PI);
        sinc * bessel_i0(KAISER_BETA * (1.0 - w * w).max(0.0).sqrt())
    };
    // All phases are scaled alike: by what makes the first one add up to 1.
    let norm: f64 = (0..length).map(|tap| kernel(0, tap)).sum();
    let mut weights = Vec::with_capacity((phases + 1) * length);
    for phase in 0..phases {
        weights.extend((0..length).map(|tap| (kernel(phase, tap) / norm) as f32));
    }
    let last = if length.is_multiple_of(8) { weights[length - 1] } else { 0.0 };
    weights.push(last);
    weights.extend_from_within(..length - 1);
    weights
}

/// The modified Bessel function of the first kind of order 0.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..200 {
        term *= quarter / f64::from(k * k);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

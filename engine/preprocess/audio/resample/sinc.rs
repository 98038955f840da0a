//! Band-limited interpolation as `torchaudio.functional.resample` has it by default: a sinc under a squared cosine, six zero
//! crossings wide, with the band limit a little below the lower Nyquist frequency. Silence surrounds the sound.

use std::f64::consts::PI;

use super::greatest_common_divisor;
use super::polyphase::Polyphase;
use crate::Result;

const ZERO_CROSSINGS: f64 = 6.0;
const ROLLOFF: f64 = 0.99;

pub(super) fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    let divisor = greatest_common_divisor(u64::from(from), u64::from(to));
    let (orig, new) = (u64::from(from) / divisor, u64::from(to) / divisor);
    let band = orig.min(new) as f64 * ROLLOFF;
    let width = (ZERO_CROSSINGS * orig as f64 / band).ceil();
    let length = 2 * width as u64 + 2;
    Polyphase::check_size(new, length, from, to)?;
    let reach = width as i64;

    // The reference computes the filters in single precision, with times counted in whole periods of the two rates: where there are
    // many phases its rounding shows, so it is repeated.
    let (band, scale) = (band as f32, (band / orig as f64) as f32);
    let (zero_crossings, pi) = (ZERO_CROSSINGS as f32, PI as f32);
    let mut weights = vec![0f32; (new * length) as usize];
    for output in 0..new {
        // Outputs step through the phases by `orig`.
        let (start, phase) = ((output * orig / new) as i64, (output * orig % new) as usize);
        let filter = &mut weights[phase * length as usize..][..length as usize];
        for (weight, tap) in filter.iter_mut().zip(start - reach..) {
            let t = (-(output as f32) / new as f32 + tap as f32 / orig as f32) * band;
            if t.abs() < zero_crossings {
                let window = (t * pi / zero_crossings / 2.0).cos().powi(2);
                let angle = t * pi;
                let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
                *weight = sinc * (window * scale);
            }
        }
    }
    let filters = Polyphase { phases: new as usize, length: length as usize, weights, step: orig, step_divisor: 1 };

    let mut input = vec![0f32; width as usize];
    input.extend_from_slice(samples);
    input.resize(input.len() + length as usize, 0.0);
    // The reference rounds the length to single precision before it rounds up.
    let exact = (new * samples.len() as u64) as f64 / orig as f64;
    let whole = (samples.len() as u64 / orig + 1) * new;
    let count = (f64::from((exact as f32).ceil()) as u64).min(whole);
    Ok(filters.run(&input, count as usize))
}

//! Changing the sampling rate, with the two resamplers of the reference.

mod polyphase;
mod sinc;
mod swresample;

use super::MAX_SAMPLES;
use crate::{Error, ErrorKind, Result};

/// Resamples as ffmpeg does by default: for sound read from files.
pub fn resample_file(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    if from == to {
        return Ok(samples.to_vec());
    }
    check(samples.len(), from, to)?;
    swresample::resample(samples, from, to, swresample::FILTER_SIZE)
}

/// Resamples as ffmpeg's decoder of Opus does what it has decoded as speech.
pub(super) fn resample_speech(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    swresample::resample(samples, from, to, 16.0)
}

/// Resamples as `torchaudio.functional.resample` does by default: for sound given as an array.
pub fn resample_array(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    if from == to {
        return Ok(samples.to_vec());
    }
    check(samples.len(), from, to)?;
    sinc::resample(samples, from, to)
}

fn check(length: usize, from: u32, to: u32) -> Result<()> {
    if from == 0 || to == 0 {
        return Err(Error::new(ErrorKind::Media, "the sampling rate is 0"));
    }
    if length as u128 * u128::from(to) / u128::from(from) > MAX_SAMPLES as u128 {
        let message = format!("{length} samples at {from} Hz are more than {MAX_SAMPLES} samples at {to} Hz; cut the sound into parts");
        return Err(Error::new(ErrorKind::Media, message));
    }
    Ok(())
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

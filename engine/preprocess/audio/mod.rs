//! Sound: files become mono samples at the rate a model wants, and samples become its inputs, driven by `preprocessor_config.json`.
//!
//! The reference reads sound files through ffmpeg and resamples arrays with torchaudio; both resamplers are computed here as they do.

mod config;
mod containers;
mod decode;
mod extractors;
mod input;
mod mono;
mod ogg;
mod opus;
mod resample;
mod wave;

pub use config::{FeatureExtractor, FeatureExtractorConfig, PaddingSide};
pub use decode::{MAX_SAMPLES, MIN_RATE, Waveform, decode_mono};
pub use input::{Sound, read, read_within};
pub use resample::{resample_array, resample_file};

use formers_converters::content::has_room;
use ndarray::{Array2, ArrayD};

use crate::Result;

/// What a feature extractor makes of a batch of sounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AudioFeatures {
    /// The name of the graph's input: `input_values` for waves, `input_features` for spectrograms.
    pub name: &'static str,
    /// The sounds as the model reads them, `(batch, samples)` or `(batch, ...)`.
    pub values: ArrayD<f32>,
    /// 1 where there is sound and 0 where there is padding, `(batch, samples)`, if the model is to see it.
    pub attention_mask: Option<Array2<i64>>,
}

/// Decodes a sound file and brings it to one channel at this rate, as the reference does with files. `name` says in errors which
/// input it was.
pub fn read_file(bytes: Vec<u8>, name: &str, sampling_rate: u32) -> Result<Vec<f32>> {
    let sound = decode_mono(bytes, name)?;
    let length = sound.samples.len();
    // As it comes, as the model hears it, and a copy that is normalized.
    let most = length as u64 * u64::from(sampling_rate) / u64::from(sound.sampling_rate.max(1));
    if !has_room(most.saturating_mul(3 * size_of::<f32>() as u64)) {
        let message =
            format!("{name}: memory has no room for {} seconds of sound; cut it into parts", most / u64::from(sampling_rate.max(1)));
        return Err(crate::Error::new(crate::ErrorKind::Media, message));
    }
    let samples = if sound.sampling_rate == sampling_rate {
        sound.samples
    } else {
        resample_file(&sound.samples, sound.sampling_rate, sampling_rate).map_err(|e| e.at(name))?
    };
    if samples.is_empty() {
        return Err(crate::Error::new(crate::ErrorKind::Media, format!("{name}: the sound is too short ({length} samples)")));
    }
    Ok(samples)
}

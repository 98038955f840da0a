//! Waves as they are, each brought to mean 0 and variance 1 if the model wants that.

use ndarray::Array2;

use super::{AudioFeatures, FeatureExtractorConfig, PaddingSide};
use crate::{Error, Result};

/// Normalizes and pads. A model that sees no mask has its padding normalized with the sound, as in the reference.
pub(super) fn run(config: &FeatureExtractorConfig, sounds: &[&[f32]]) -> Result<AudioFeatures> {
    if config.feature_size != 1 {
        return Err(Error::config(format!("feature_size: waves have one value per sample, not {}", config.feature_size)));
    }
    let longest = sounds.iter().map(|sound| sound.len()).max().unwrap_or(0);
    let mut values = Array2::from_elem((sounds.len(), longest), config.padding_value);
    let mut mask = Array2::zeros((sounds.len(), longest));
    for ((sound, mut row), mut marks) in sounds.iter().zip(values.outer_iter_mut()).zip(mask.outer_iter_mut()) {
        let start = match config.padding_side {
            PaddingSide::Right => 0,
            PaddingSide::Left => longest - sound.len(),
        };
        let span = ndarray::s![start..start + sound.len()];
        marks.slice_mut(span).fill(1i64);
        row.slice_mut(span).iter_mut().zip(*sound).for_each(|(value, sample)| *value = *sample);
        if config.do_normalize {
            if config.return_attention_mask {
                let mut voiced = row.slice_mut(span);
                let (mean, deviation) = moments(voiced.iter());
                voiced.mapv_inplace(|x| (x - mean) / deviation);
            } else {
                let (mean, deviation) = moments(row.iter());
                row.mapv_inplace(|x| (x - mean) / deviation);
            }
        }
    }
    Ok(AudioFeatures { name: "input_values", values: values.into_dyn(), attention_mask: config.return_attention_mask.then_some(mask) })
}

/// The mean, and the deviation kept away from 0 for silence.
fn moments<'a>(samples: impl Iterator<Item = &'a f32> + Clone) -> (f32, f32) {
    let (count, sum) = samples.clone().fold((0usize, 0f64), |(n, sum), x| (n + 1, sum + f64::from(*x)));
    let mean = sum / count as f64;
    let variance = samples.map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count as f64;
    (mean as f32, (variance + 1e-7).sqrt() as f32)
}

//! The feature extractors: for each type its defaults and its way of working. A new one is an entry in this table and a file next to
//! this one.

mod wav2vec2;

use super::{AudioFeatures, FeatureExtractorConfig, PaddingSide};
use crate::{Error, Result};

/// One type of feature extractor.
pub(super) struct Extractor {
    /// `feature_extractor_type`.
    name: &'static str,
    /// What its class sets where a configuration does not.
    pub(super) defaults: FeatureExtractorConfig,
    /// Its way of working, on sounds with at least one sample each.
    pub(super) run: fn(&FeatureExtractorConfig, &[&[f32]]) -> Result<AudioFeatures>,
}

impl std::fmt::Debug for Extractor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The extractor of this type.
pub(super) fn by_name(name: &str) -> Result<&'static Extractor> {
    EXTRACTORS.iter().find(|e| e.name == name).ok_or_else(|| {
        let known: Vec<&str> = EXTRACTORS.iter().map(|e| e.name).collect();
        Error::unsupported(format!("feature_extractor_type {name} is not known; known are {}", known.join(", ")))
    })
}

/// The extractor that a model type uses when its files name none.
pub(super) fn by_model_type(model_type: &str) -> Result<&'static Extractor> {
    formers_models::feature_extractor(model_type).map_or_else(
        || {
            Err(Error::unsupported(format!(
                "feature_extractor_type is missing, and none is known for model type {model_type}; add it to the file"
            )))
        },
        by_name,
    )
}

/// In alphabetical order.
static EXTRACTORS: &[Extractor] = &[Extractor {
    name: "Wav2Vec2FeatureExtractor",
    defaults: FeatureExtractorConfig {
        feature_size: 1,
        sampling_rate: 16000,
        padding_value: 0.0,
        padding_side: PaddingSide::Right,
        do_normalize: true,
        return_attention_mask: false,
    },
    run: wav2vec2::run,
}];

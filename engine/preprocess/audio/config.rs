//! `preprocessor_config.json`, or the `feature_extractor` part of `processor_config.json`, resolved against the defaults of its type.

use serde_json::{Map, Value};

use super::AudioFeatures;
use super::extractors::{self, Extractor};
use crate::{Error, Result};

/// On which side batches are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaddingSide {
    /// Before the sound.
    Left,
    /// After the sound.
    Right,
}

/// What a feature extractor does; the names are those of `preprocessor_config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureExtractorConfig {
    /// Values per position.
    pub feature_size: usize,
    /// Samples per second that the model expects.
    pub sampling_rate: u32,
    /// What stands in padding.
    pub padding_value: f32,
    /// On which side padding goes.
    pub padding_side: PaddingSide,
    /// Whether each sound is brought to mean 0 and variance 1.
    pub do_normalize: bool,
    /// Whether the model is to see where the padding is.
    pub return_attention_mask: bool,
}

/// A feature extractor: its type's way of working, and its options.
#[derive(Debug, Clone)]
pub struct FeatureExtractor {
    extractor: &'static Extractor,
    config: FeatureExtractorConfig,
}

impl FeatureExtractor {
    /// The feature extractor of a checkpoint, from its parsed configuration files: `processor_config.json` counts where it has a
    /// `feature_extractor` part, else `preprocessor_config.json`. `model_type` decides where neither names a type.
    pub fn from_configs(preprocessor: Option<&Value>, processor: Option<&Value>, model_type: &str) -> Result<Self> {
        let nested = ["feature_extractor", "audio_processor"]
            .iter()
            .find_map(|part| processor.and_then(|config| config.get(*part)).and_then(Value::as_object));
        match (nested, preprocessor) {
            (Some(config), _) => Self::from_map(config, model_type).map_err(|e| e.at("processor_config.json")),
            (None, Some(Value::Object(config))) => Self::from_map(config, model_type).map_err(|e| e.at("preprocessor_config.json")),
            (None, Some(_)) => Err(Error::config("preprocessor_config.json: expected an object")),
            (None, None) => Err(Error::config("preprocessor_config.json is missing, and processor_config.json has no feature_extractor")),
        }
    }

    fn from_map(map: &Map<String, Value>, model_type: &str) -> Result<Self> {
        let extractor = match map.get("feature_extractor_type").and_then(Value::as_str) {
            Some(name) => extractors::by_name(name)?,
            None => extractors::by_model_type(model_type)?,
        };
        Ok(Self { extractor, config: resolve(map, &extractor.defaults)? })
    }

    /// The options in force.
    pub fn config(&self) -> &FeatureExtractorConfig {
        &self.config
    }

    /// Sounds as the model reads them, padded to the longest. They must have one channel and the model's sampling rate.
    pub fn extract(&self, sounds: &[&[f32]]) -> Result<AudioFeatures> {
        if sounds.is_empty() {
            return Err(Error::request("audio", "expected at least one sound"));
        }
        if let Some(index) = sounds.iter().position(|sound| sound.is_empty()) {
            return Err(Error::request("audio", "the sound has no samples").for_input(index));
        }
        (self.extractor.run)(&self.config, sounds)
    }
}

/// The options of a file over the defaults of its type.
fn resolve(map: &Map<String, Value>, defaults: &FeatureExtractorConfig) -> Result<FeatureExtractorConfig> {
    let given = |key: &str| map.get(key).filter(|value| !value.is_null());
    let flag = |key: &str, default: bool| match given(key) {
        None => Ok(default),
        Some(value) => value.as_bool().ok_or_else(|| Error::config(format!("{key}: expected true or false, found {value}"))),
    };
    let count = |key: &str, default: u32| match given(key) {
        None => Ok(default),
        Some(value) => match value.as_u64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64)) {
            Some(number @ 1..) if number <= 10_000_000 => Ok(number as u32),
            _ => Err(Error::config(format!("{key}: expected a positive number, found {value}"))),
        },
    };
    let padding_value = match given("padding_value") {
        None => defaults.padding_value,
        Some(value) => value.as_f64().ok_or_else(|| Error::config(format!("padding_value: expected a number, found {value}")))? as f32,
    };
    let padding_side = match given("padding_side").map(|value| (value, value.as_str())) {
        None => defaults.padding_side,
        Some((_, Some("right"))) => PaddingSide::Right,
        Some((_, Some("left"))) => PaddingSide::Left,
        Some((value, _)) => return Err(Error::config(format!("padding_side: expected left or right, found {value}"))),
    };
    Ok(FeatureExtractorConfig {
        feature_size: count("feature_size", defaults.feature_size as u32)? as usize,
        sampling_rate: count("sampling_rate", defaults.sampling_rate)?,
        padding_value,
        padding_side,
        do_normalize: flag("do_normalize", defaults.do_normalize)?,
        return_attention_mask: flag("return_attention_mask", defaults.return_attention_mask)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_both_generations() {
        let old = json!({"feature_size": 1, "sampling_rate": 8000, "padding_value": -1, "do_normalize": false, "padding_side": "left"});
        let old = FeatureExtractor::from_configs(Some(&old), None, "wav2vec2").unwrap();
        assert_eq!(old.config().sampling_rate, 8000);
        assert_eq!(old.config().padding_side, PaddingSide::Left);
        assert!(!old.config().do_normalize && !old.config().return_attention_mask);

        let new = json!({"feature_extractor": {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "return_attention_mask": true}});
        let new = FeatureExtractor::from_configs(Some(&json!({"sampling_rate": 1})), Some(&new), "bert").unwrap();
        assert_eq!(new.config().sampling_rate, 16000);
        assert!(new.config().do_normalize && new.config().return_attention_mask);
    }

    #[test]
    fn names_what_is_wrong() {
        let message = |config: Value| FeatureExtractor::from_configs(Some(&config), None, "wav2vec2").unwrap_err().to_string();
        assert!(message(json!({"sampling_rate": 0})).contains("sampling_rate"));
        assert!(message(json!({"padding_side": "up"})).contains("padding_side"));
        assert!(message(json!({"feature_extractor_type": "Nonsense"})).contains("Nonsense"));
        assert!(FeatureExtractor::from_configs(None, None, "wav2vec2").is_err());
    }
}

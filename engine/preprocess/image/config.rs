//! `preprocessor_config.json`, or the `image_processor` part of `processor_config.json`, resolved against the defaults of its type.

use image::RgbImage;
use serde_json::{Map, Value};

use super::processors::{self, Processor};
use super::{ImageFeatures, Resample, Size};
use crate::{Error, Result};

/// What an image processor does, step by step; the names are those of `preprocessor_config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessorConfig {
    /// Whether images are resized to `size`.
    pub do_resize: bool,
    /// The size to resize to.
    pub size: Option<Size>,
    /// Whether a single number in `size` is a square.
    pub default_to_square: bool,
    /// The filter for resizing.
    pub resample: Resample,
    /// Whether the middle is cut out.
    pub do_center_crop: bool,
    /// How much is cut out.
    pub crop_size: Option<Size>,
    /// Whether values are multiplied by `rescale_factor`.
    pub do_rescale: bool,
    /// Usually 1/255.
    pub rescale_factor: f64,
    /// Whether `image_mean` and `image_std` apply.
    pub do_normalize: bool,
    /// Mean of each channel, after rescaling.
    pub image_mean: [f32; 3],
    /// Standard deviation of each channel, after rescaling.
    pub image_std: [f32; 3],
    /// Whether images are padded with zeros, to the right and below.
    pub do_pad: bool,
    /// The size to pad to; the largest of the batch when absent.
    pub pad_size: Option<Size>,
}

/// An image processor: its type's way of working, and its options.
#[derive(Debug, Clone)]
pub struct ImageProcessor {
    processor: &'static Processor,
    config: ImageProcessorConfig,
}

impl ImageProcessor {
    /// The image processor of a checkpoint, from its parsed configuration files: `processor_config.json` counts where it has an
    /// `image_processor` part, else `preprocessor_config.json`. `model_type` decides where neither names a type.
    pub fn from_configs(preprocessor: Option<&Value>, processor: Option<&Value>, model_type: &str) -> Result<Self> {
        let nested = processor.and_then(|config| config.get("image_processor")).and_then(Value::as_object);
        match (nested, preprocessor) {
            (Some(config), _) => Self::from_map(config, model_type).map_err(|e| e.at("processor_config.json")),
            (None, Some(Value::Object(config))) => Self::from_map(config, model_type).map_err(|e| e.at("preprocessor_config.json")),
            (None, Some(_)) => Err(Error::config("preprocessor_config.json: expected an object")),
            (None, None) => Err(Error::config("preprocessor_config.json is missing, and processor_config.json has no image_processor")),
        }
    }

    fn from_map(map: &Map<String, Value>, model_type: &str) -> Result<Self> {
        // Older files were written when image processors were still called feature extractors.
        let name = ["image_processor_type", "feature_extractor_type"].iter().find_map(|key| map.get(*key)?.as_str());
        let processor = match name {
            Some(name) => processors::by_name(&name.replace("FeatureExtractor", "ImageProcessor"))?,
            None => processors::by_model_type(model_type)?,
        };
        let config = resolve(map, &processor.defaults)?;
        Ok(Self { processor, config })
    }

    /// The options in force.
    pub fn config(&self) -> &ImageProcessorConfig {
        &self.config
    }

    /// The images as the model reads them. All must come out in one size; where a processor keeps proportions, pass images one by
    /// one, as the reference does by default.
    pub fn preprocess(&self, images: &[RgbImage]) -> Result<ImageFeatures> {
        if images.is_empty() {
            return Err(Error::request("images", "expected at least one image"));
        }
        (self.processor.run)(&self.config, images)
    }
}

/// The options of a file over the defaults of its type. Null means the default, as in the reference.
fn resolve(map: &Map<String, Value>, defaults: &ImageProcessorConfig) -> Result<ImageProcessorConfig> {
    let given = |key: &str| map.get(key).filter(|value| !value.is_null());
    let flag = |key: &str, default: bool| match given(key) {
        None => Ok(default),
        Some(value) => value.as_bool().ok_or_else(|| Error::config(format!("{key}: expected true or false, found {value}"))),
    };
    let size = |key: &str, default: Option<Size>, square: bool| match given(key) {
        None => Ok(default),
        Some(value) => Size::from_json(key, value, square).map(Some),
    };
    let default_to_square = flag("default_to_square", defaults.default_to_square)?;
    let resample = match given("resample") {
        None => defaults.resample,
        Some(value) => match value.as_u64() {
            Some(number) => Resample::from_number(number)?,
            None => return Err(Error::config(format!("resample: expected a number from 0 to 5, found {value}"))),
        },
    };
    let rescale_factor = match given("rescale_factor") {
        None => defaults.rescale_factor,
        Some(value) => value.as_f64().ok_or_else(|| Error::config(format!("rescale_factor: expected a number, found {value}")))?,
    };
    let image_std = channels("image_std", given("image_std"), defaults.image_std)?;
    if image_std.contains(&0.0) {
        return Err(Error::config("image_std: 0 is not a standard deviation"));
    }
    Ok(ImageProcessorConfig {
        do_resize: flag("do_resize", defaults.do_resize)?,
        size: size("size", defaults.size, default_to_square)?,
        default_to_square,
        resample,
        do_center_crop: flag("do_center_crop", defaults.do_center_crop)?,
        crop_size: size("crop_size", defaults.crop_size, true)?,
        do_rescale: flag("do_rescale", defaults.do_rescale)?,
        rescale_factor,
        do_normalize: flag("do_normalize", defaults.do_normalize)?,
        image_mean: channels("image_mean", given("image_mean"), defaults.image_mean)?,
        image_std,
        do_pad: flag("do_pad", defaults.do_pad)?,
        pad_size: size("pad_size", defaults.pad_size, true)?,
    })
}

/// One number for all channels, or one each.
fn channels(key: &str, value: Option<&Value>, default: [f32; 3]) -> Result<[f32; 3]> {
    let Some(value) = value else { return Ok(default) };
    let numbers = match value {
        Value::Array(list) => list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>(),
        other => other.as_f64().map(|number| vec![number]),
    };
    match numbers.as_deref() {
        Some([one]) => Ok([*one as f32; 3]),
        Some([red, green, blue]) => Ok([*red as f32, *green as f32, *blue as f32]),
        _ => Err(Error::config(format!("{key}: expected one number or three, found {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_both_generations() {
        let old = json!({"feature_extractor_type": "ViTFeatureExtractor", "size": 32, "resample": 3, "image_mean": [0.1, 0.2, 0.3]});
        let old = ImageProcessor::from_configs(Some(&old), None, "vit").unwrap();
        assert_eq!(old.config().size, Some(Size::HeightWidth { height: 32, width: 32 }));
        assert_eq!(old.config().resample, Resample::Bicubic);
        assert_eq!(old.config().image_mean, [0.1, 0.2, 0.3]);
        assert_eq!(old.config().image_std, [0.5; 3]);

        let new = json!({"image_processor": {"image_processor_type": "ViTImageProcessorFast", "do_normalize": false, "size": null}});
        let new = ImageProcessor::from_configs(Some(&json!({"size": 1})), Some(&new), "vit").unwrap();
        assert_eq!(new.config().size, Some(Size::HeightWidth { height: 224, width: 224 }));
        assert!(!new.config().do_normalize && new.config().do_rescale);

        let clip = json!({"size": 16, "crop_size": 16});
        let clip = ImageProcessor::from_configs(Some(&clip), None, "clip").unwrap();
        assert_eq!(clip.config().size, Some(Size::ShortestEdge { shortest_edge: 16, longest_edge: None }));
        assert_eq!(clip.config().crop_size, Some(Size::HeightWidth { height: 16, width: 16 }));
    }

    #[test]
    fn names_what_is_wrong() {
        let message = |config: Value| ImageProcessor::from_configs(Some(&config), None, "vit").unwrap_err().to_string();
        assert!(message(json!({"size": "big"})).contains("size"));
        assert!(message(json!({"resample": 9})).contains("resample"));
        assert!(message(json!({"image_std": [0.5, 0.0, 0.5]})).contains("image_std"));
        assert!(message(json!({"do_resize": 1})).contains("do_resize"));
        assert!(message(json!({"image_processor_type": "VitImageProcessor"})).contains("VitImageProcessor"));
        assert!(message(json!([])).contains("preprocessor_config.json"));
    }
}

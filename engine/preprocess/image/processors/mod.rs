//! The image processors: for each type its defaults and its way of working. A new one is an entry in this table, and a file next to
//! this one where it does more than the common chain.

mod llava;
mod standard;

use image::RgbImage;

use super::{ImageFeatures, ImageProcessorConfig, Resample, Size};
use crate::{Error, Result};

/// One type of image processor.
pub(super) struct Processor {
    /// `image_processor_type`, without `Fast` or `Pil`.
    name: &'static str,
    /// What its class sets where a configuration does not.
    pub(super) defaults: ImageProcessorConfig,
    /// Its way of working.
    pub(super) run: fn(&ImageProcessorConfig, &[RgbImage]) -> Result<ImageFeatures>,
}

impl std::fmt::Debug for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The processor of this type; the suffixes name backends that answer alike.
pub(super) fn by_name(name: &str) -> Result<&'static Processor> {
    let base = name.strip_suffix("Fast").or_else(|| name.strip_suffix("Pil")).unwrap_or(name);
    PROCESSORS.iter().find(|p| p.name == base).ok_or_else(|| {
        let known: Vec<&str> = PROCESSORS.iter().map(|p| p.name).collect();
        Error::unsupported(format!("image_processor_type {name} is not known; known are {}", known.join(", ")))
    })
}

/// The processor that a model type uses when its files name none.
pub(super) fn by_model_type(model_type: &str) -> Result<&'static Processor> {
    formers_models::image_processor(model_type).map_or_else(
        || {
            Err(Error::unsupported(format!(
                "image_processor_type is missing, and none is known for model type {model_type}; add it to the file"
            )))
        },
        by_name,
    )
}

const fn square(side: u32) -> Option<Size> {
    Some(Size::HeightWidth { height: side, width: side })
}

const fn shortest_edge(side: u32) -> Option<Size> {
    Some(Size::ShortestEdge { shortest_edge: side, longest_edge: None })
}

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Resize, rescale and normalize to [-1, 1]: what most types change one or two things about.
const BASE: ImageProcessorConfig = ImageProcessorConfig {
    do_resize: true,
    size: square(224),
    default_to_square: true,
    resample: Resample::Bicubic,
    do_center_crop: false,
    crop_size: None,
    do_rescale: true,
    rescale_factor: 1.0 / 255.0,
    do_normalize: true,
    image_mean: [0.5; 3],
    image_std: [0.5; 3],
    do_pad: false,
    pad_size: None,
};

const CLIP: ImageProcessorConfig = ImageProcessorConfig {
    size: shortest_edge(224),
    default_to_square: false,
    do_center_crop: true,
    crop_size: square(224),
    image_mean: CLIP_MEAN,
    image_std: CLIP_STD,
    ..BASE
};

/// In alphabetical order.
static PROCESSORS: &[Processor] = &[
    Processor { name: "BitImageProcessor", defaults: CLIP, run: standard::run },
    Processor {
        name: "BlipImageProcessor",
        defaults: ImageProcessorConfig { size: square(384), image_mean: CLIP_MEAN, image_std: CLIP_STD, ..BASE },
        run: standard::run,
    },
    Processor { name: "CLIPImageProcessor", defaults: CLIP, run: standard::run },
    Processor {
        name: "ChameleonImageProcessor",
        defaults: ImageProcessorConfig {
            size: shortest_edge(512),
            default_to_square: false,
            resample: Resample::Lanczos,
            do_center_crop: true,
            crop_size: square(512),
            rescale_factor: 0.0078,
            image_mean: [1.0; 3],
            image_std: [1.0; 3],
            ..BASE
        },
        run: standard::run,
    },
    Processor { name: "ChineseCLIPImageProcessor", defaults: CLIP, run: standard::run },
    Processor {
        name: "DeiTImageProcessor",
        defaults: ImageProcessorConfig { size: square(256), do_center_crop: true, crop_size: square(224), ..BASE },
        run: standard::run,
    },
    Processor { name: "LlavaImageProcessor", defaults: CLIP, run: llava::run },
    Processor {
        name: "MobileNetV1ImageProcessor",
        defaults: ImageProcessorConfig {
            size: shortest_edge(256),
            default_to_square: false,
            resample: Resample::Bilinear,
            do_center_crop: true,
            crop_size: square(224),
            ..BASE
        },
        run: standard::run,
    },
    Processor {
        name: "OwlViTImageProcessor",
        defaults: ImageProcessorConfig { size: square(768), crop_size: square(768), image_mean: CLIP_MEAN, image_std: CLIP_STD, ..BASE },
        run: standard::run,
    },
    Processor {
        name: "PI0ImageProcessor",
        defaults: ImageProcessorConfig {
            size: Some(Size::MaxHeightWidth { max_height: 224, max_width: 224 }),
            default_to_square: false,
            do_pad: true,
            pad_size: square(224),
            ..BASE
        },
        run: standard::run,
    },
    Processor {
        name: "PvtImageProcessor",
        defaults: ImageProcessorConfig { image_mean: IMAGENET_MEAN, image_std: IMAGENET_STD, ..BASE },
        run: standard::run,
    },
    Processor { name: "SiglipImageProcessor", defaults: ImageProcessorConfig { default_to_square: false, ..BASE }, run: standard::run },
    Processor {
        name: "Tipsv2ImageProcessor",
        defaults: ImageProcessorConfig { size: square(448), resample: Resample::Bilinear, do_normalize: false, ..BASE },
        run: standard::run,
    },
    Processor { name: "ViTImageProcessor", defaults: ImageProcessorConfig { resample: Resample::Bilinear, ..BASE }, run: standard::run },
];

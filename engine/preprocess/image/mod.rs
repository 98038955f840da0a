//! Images: bytes become RGB pixels, and pixels become the tensors a model reads, driven by `preprocessor_config.json`.
//!
//! The reference's default backend is torchvision on a CPU: images are resized as 8-bit integers with antialiasing, horizontally
//! first and then vertically, and become floating point only when they are rescaled and normalized.

mod config;
mod decode;
mod formats;
mod geometry;
mod orientation;
mod pixels;
mod processors;
mod resize;
mod size;

pub use config::{ImageProcessor, ImageProcessorConfig};
pub use decode::{MAX_PIXELS, decode_rgb};
pub use image::RgbImage;
pub use resize::Resample;
pub use size::Size;

use ndarray::Array4;

/// What an image processor makes of a batch of images.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageFeatures {
    /// The images as the model reads them, `(batch, channels, height, width)`.
    pub pixel_values: Array4<f32>,
}

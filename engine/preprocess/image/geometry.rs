//! Cropping, padding, and the step from 8-bit pixels to the floating point planes a model reads.

use image::{GenericImageView, RgbImage, imageops};
use ndarray::Array3;

use crate::{Error, Result};

/// The middle of an image; where the crop is larger than the image there is black around it.
pub(super) fn center_crop(image: &RgbImage, height: u32, width: u32) -> RgbImage {
    // Where the crop begins in the image and where the image begins in the crop: one of both is 0.
    let offsets = |from: u32, to: u32| (from.saturating_sub(to) / 2, to.saturating_sub(from) / 2);
    let ((left, margin_left), (top, margin_top)) = (offsets(image.width(), width), offsets(image.height(), height));
    let visible = imageops::crop_imm(image, left, top, width.min(image.width()), height.min(image.height()));
    if (visible.width(), visible.height()) == (width, height) {
        return visible.to_image();
    }
    let mut crop = RgbImage::new(width, height);
    imageops::replace(&mut crop, &visible.to_image(), i64::from(margin_left), i64::from(margin_top));
    crop
}

/// How pixel values become floating point: `rescale`, then `(x - mean) / std`, each if asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaling {
    pub(super) rescale_factor: Option<f64>,
    pub(super) mean_std: Option<([f32; 3], [f32; 3])>,
}

/// The image as planes, `(channels, height, width)`.
///
/// With both steps the reference folds the factor into mean and deviation, in single precision; the same is done here, once per
/// value that a byte can have.
pub(super) fn to_planes(image: &RgbImage, scaling: Scaling) -> Array3<f32> {
    let value = |channel: usize, byte: u8| -> f32 {
        let x = f32::from(byte);
        match (scaling.rescale_factor, scaling.mean_std) {
            (Some(factor), Some((mean, std))) => {
                let inverse = (1.0 / factor) as f32;
                (x - mean[channel] * inverse) / (std[channel] * inverse)
            }
            (None, Some((mean, std))) => (x - mean[channel]) / std[channel],
            (Some(factor), None) => x * factor as f32,
            (None, None) => x,
        }
    };
    let (height, width) = (image.height() as usize, image.width() as usize);
    let mut planes = Array3::zeros((3, height, width));
    for (channel, mut plane) in planes.outer_iter_mut().enumerate() {
        let table: [f32; 256] = std::array::from_fn(|byte| value(channel, byte as u8));
        for (out, pixel) in plane.iter_mut().zip(image.as_raw().chunks_exact(3)) {
            *out = table[usize::from(pixel[channel])];
        }
    }
    planes
}

/// Zeros to the right of and below the planes, up to this size.
pub(super) fn pad(planes: Array3<f32>, height: usize, width: usize) -> Result<Array3<f32>> {
    let (channels, old_height, old_width) = planes.dim();
    if old_height > height || old_width > width {
        return Err(Error::config(format!("pad_size: an image of {old_width}x{old_height} pixels does not fit into {width}x{height}")));
    }
    if (old_height, old_width) == (height, width) {
        return Ok(planes);
    }
    let mut padded = Array3::zeros((channels, height, width));
    padded.slice_mut(ndarray::s![.., ..old_height, ..old_width]).assign(&planes);
    Ok(padded)
}

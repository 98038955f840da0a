//! The common chain: resize, crop the middle, rescale and normalize, pad.

use formers_converters::parallel;
use image::RgbImage;
use ndarray::{Array3, Array4, Axis};
use rayon::prelude::*;

use crate::preprocess::image::geometry::{self, Scaling};
use crate::preprocess::image::{ImageFeatures, ImageProcessorConfig, resize};
use crate::{Error, Result};

/// Runs the chain on a batch of images.
pub(super) fn run(config: &ImageProcessorConfig, images: &[RgbImage]) -> Result<ImageFeatures> {
    let one = |(index, image)| chain(config, image).map_err(|e: Error| e.for_input(index));
    let planes = match images {
        [image] => vec![chain(config, image)?],
        many => parallel(|| many.par_iter().enumerate().map(one).collect::<Result<_>>())?,
    };
    let planes = if config.do_pad { pad(config, planes)? } else { planes };
    Ok(ImageFeatures { pixel_values: stack(&planes)? })
}

fn chain(config: &ImageProcessorConfig, image: &RgbImage) -> Result<Array3<f32>> {
    let resized;
    let mut image = image;
    if config.do_resize {
        let size = config.size.ok_or_else(|| Error::config("size is missing, and do_resize is on"))?;
        let (height, width) = size.of_image(image.height(), image.width())?;
        resized = resize::resize(image, height, width, config.resample)?;
        image = &resized;
    }
    let cropped;
    if config.do_center_crop {
        let size = config.crop_size.ok_or_else(|| Error::config("crop_size is missing, and do_center_crop is on"))?;
        let (height, width) = size.exact("crop_size")?;
        cropped = geometry::center_crop(image, height, width);
        image = &cropped;
    }
    let scaling = Scaling {
        rescale_factor: config.do_rescale.then_some(config.rescale_factor),
        mean_std: config.do_normalize.then_some((config.image_mean, config.image_std)),
    };
    Ok(geometry::to_planes(image, scaling))
}

fn pad(config: &ImageProcessorConfig, planes: Vec<Array3<f32>>) -> Result<Vec<Array3<f32>>> {
    let (height, width) = match config.pad_size {
        Some(size) => size.exact("pad_size").map(|(height, width)| (height as usize, width as usize))?,
        None => planes.iter().fold((0, 0), |(h, w), p| (h.max(p.dim().1), w.max(p.dim().2))),
    };
    planes.into_iter().map(|p| geometry::pad(p, height, width)).collect()
}

fn stack(planes: &[Array3<f32>]) -> Result<Array4<f32>> {
    let views: Vec<_> = planes.iter().map(|p| p.view()).collect();
    ndarray::stack(Axis(0), &views).map_err(|_| {
        let sizes: Vec<String> = planes.iter().map(|p| format!("{}x{}", p.dim().2, p.dim().1)).collect();
        Error::request("images", format!("this image processor makes different sizes of them ({}); pass them one by one", sizes.join(", ")))
    })
}

//! LLaVA's image processor: CLIP's, before which pictures may become squares.

use image::{Rgb, RgbImage, imageops};

use super::standard;
use crate::preprocess::image::{ImageFeatures, ImageProcessorConfig, MAX_PIXELS};
use crate::{Error, Result};

/// Runs the common chain. `do_pad` is about the pictures themselves here, which get margins of the mean colour.
pub(super) fn run(config: &ImageProcessorConfig, images: &[RgbImage]) -> Result<ImageFeatures> {
    if !config.do_pad {
        return standard::run(config, images);
    }
    let squares = images.iter().map(|image| square(image, config.image_mean)).collect::<Result<Vec<_>>>()?;
    standard::run(&ImageProcessorConfig { do_pad: false, ..config.clone() }, &squares)
}

fn square(image: &RgbImage, mean: [f32; 3]) -> Result<RgbImage> {
    let (width, height) = image.dimensions();
    if width == height {
        return Ok(image.clone());
    }
    let side = width.max(height);
    if u64::from(side).pow(2) > MAX_PIXELS {
        return Err(Error::request("images", format!("{width}x{height} pixels make a square of more than {MAX_PIXELS}; cut the image")));
    }
    // As in the reference, the colour is cut to whole numbers.
    let mut padded = RgbImage::from_pixel(side, side, Rgb(mean.map(|mean| (f64::from(mean) * 255.0) as u8)));
    imageops::replace(&mut padded, image, i64::from((side - width) / 2), i64::from((side - height) / 2));
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_of_the_mean_colour_on_both_sides() {
        let padded = square(&RgbImage::from_pixel(2, 5, Rgb([1, 2, 3])), [0.5, 0.25, 1.0]).unwrap();
        assert_eq!(padded.dimensions(), (5, 5));
        assert_eq!(
            (padded.get_pixel(0, 0).0, padded.get_pixel(1, 4).0, padded.get_pixel(3, 0).0),
            ([127, 63, 255], [1, 2, 3], [127, 63, 255])
        );
        assert!(square(&RgbImage::new(40_000, 1), [0.5; 3]).is_err());
    }
}

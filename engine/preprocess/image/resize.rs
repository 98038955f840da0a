//! Resizing 8-bit RGB images to the byte as the reference does.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::{Error, ErrorKind, Result};

/// A resampling filter, numbered as Pillow numbers them in `preprocessor_config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resample {
    /// 0: the nearest pixel.
    Nearest,
    /// 1: Lanczos with three lobes.
    Lanczos,
    /// 2: linear.
    Bilinear,
    /// 3: cubic with a = -0.5.
    Bicubic,
    /// 4: the mean of the pixels covered.
    Box,
    /// 5: Hamming.
    Hamming,
}

impl Resample {
    /// The filter with this number.
    pub fn from_number(number: u64) -> Result<Self> {
        Ok(match number {
            0 => Self::Nearest,
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            _ => return Err(Error::config(format!("resample: {number} is not a filter (0 to 5)"))),
        })
    }
}

/// The image at this size. Filters widen when they shrink the image (antialiasing).
///
/// One pass per direction, columns first: the reference rounds to 8 bits in between, so the order shows.
pub(super) fn resize(image: &RgbImage, height: u32, width: u32, resample: Resample) -> Result<RgbImage> {
    let filter = match resample {
        Resample::Nearest => return Ok(nearest(image, height, width)),
        Resample::Lanczos => FilterType::Lanczos3,
        Resample::Bilinear => FilterType::Bilinear,
        Resample::Bicubic => FilterType::CatmullRom,
        Resample::Box => FilterType::Box,
        Resample::Hamming => FilterType::Hamming,
    };
    let mut resizer = Resizer::new();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    let mut pass = |image: &RgbImage, height: u32, width: u32| -> Result<RgbImage> {
        let failed = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Media, format!("resizing to {width}x{height} pixels failed: {e}"));
        let from = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3).map_err(|e| failed(&e))?;
        let mut to = Image::new(width, height, PixelType::U8x3);
        resizer.resize(&from, &mut to, &options).map_err(|e| failed(&e))?;
        RgbImage::from_raw(width, height, to.into_vec()).ok_or_else(|| failed(&"wrong buffer size"))
    };
    let mut columns = None;
    if width != image.width() {
        columns = Some(pass(image, image.height(), width)?);
    }
    let image = columns.as_ref().unwrap_or(image);
    if height != image.height() {
        return pass(image, height, width);
    }
    Ok(image.clone())
}

/// The pixel whose area holds the centre of the new one (`nearest-exact` in torch, with its rounding to single precision).
fn nearest(image: &RgbImage, height: u32, width: u32) -> RgbImage {
    let sources = |from: u32, to: u32| -> Vec<u32> {
        let scale = f64::from(from as f32 / to as f32);
        (0..to).map(|i| ((((f64::from(i) + 0.5) * scale) as f32).floor() as u32).min(from - 1)).collect()
    };
    let (rows, columns) = (sources(image.height(), height), sources(image.width(), width));
    RgbImage::from_fn(width, height, |x, y| *image.get_pixel(columns[x as usize], rows[y as usize]))
}

//! Resizing 8-bit RGB images to the byte as the reference does.

use std::ops::Range;

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

/// The longest side that is resized with a filter: weights are kept for every pixel of a row or column.
const MAX_SIDE: u32 = 1 << 23;

/// The most pixels of an image between the two passes. A thin image grows in between: 10 x 1000000 pixels on the way to 224 x 224
/// become 224 x 1000000. Where that is more, the second pass is done in bands of as many rows as fit.
const MAX_BETWEEN: u64 = 1 << 26;

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
    if image.width().max(image.height()) > MAX_SIDE {
        let message = format!("an image of {}x{} pixels; sides of up to {MAX_SIDE} are resized", image.width(), image.height());
        return Err(Error::new(ErrorKind::Media, message));
    }
    resize_in_bands(image, height, width, filter, MAX_BETWEEN)
}

fn resize_in_bands(image: &RgbImage, height: u32, width: u32, filter: FilterType, max_between: u64) -> Result<RgbImage> {
    let (columns, rows) = (width != image.width(), height != image.height());
    if !columns || !rows || u64::from(width) * u64::from(image.height()) <= max_between {
        let all = 0..image.height();
        return match (columns, rows) {
            (false, false) => Ok(image.clone()),
            (true, false) | (false, true) => pass(image, all, None, (width, height), filter),
            (true, true) => pass(&pass(image, all.clone(), None, (width, image.height()), filter)?, all, None, (width, height), filter),
        };
    }
    let scale = f64::from(image.height()) / f64::from(height);
    let support = match filter {
        FilterType::Lanczos3 => 3.0,
        FilterType::CatmullRom => 2.0,
        _ => 1.0,
    };
    // How far a filter reaches on each side, and a little more for what is rounded.
    let reach = support * scale.max(1.0) + 1.0;
    let window = |first: u32, end: u32| {
        let start = (f64::from(first) * scale - reach).max(0.0) as u32;
        start..((f64::from(end) * scale + reach).ceil() as u32).min(image.height())
    };
    let fits = |rows: u32| (f64::from(rows) * scale + 2.0 * reach + 1.0) * f64::from(width) <= max_between as f64;
    let mut band = height;
    while band > 1 && !fits(band) {
        band /= 2;
    }
    if !fits(band) {
        let message =
            format!("an image of {}x{} pixels is too thin to be resized to {width}x{height}; crop it", image.width(), image.height());
        return Err(Error::new(ErrorKind::Media, message));
    }
    let mut raw = Vec::with_capacity(width as usize * height as usize * 3);
    for first in (0..height).step_by(band as usize) {
        let end = (first + band).min(height);
        let source = window(first, end);
        let between = pass(image, source.clone(), None, (width, source.len() as u32), filter)?;
        // The stretch that these rows stand for, within the rows that their filters need.
        let stretch = (f64::from(first) * scale - f64::from(source.start), f64::from(end - first) * scale);
        raw.extend(pass(&between, 0..between.height(), Some(stretch), (width, end - first), filter)?.into_raw());
    }
    RgbImage::from_raw(width, height, raw).ok_or_else(|| Error::new(ErrorKind::Media, "resizing: wrong buffer size"))
}

/// Some rows of an image, or a stretch of these (its start and its height, which need not be whole), at a size.
fn pass(image: &RgbImage, rows: Range<u32>, stretch: Option<(f64, f64)>, size: (u32, u32), filter: FilterType) -> Result<RgbImage> {
    let (width, height) = size;
    let failed = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Media, format!("resizing to {width}x{height} pixels failed: {e}"));
    let stride = image.width() as usize * 3;
    let bytes = image.as_raw().get(rows.start as usize * stride..rows.end as usize * stride).unwrap_or_default();
    let from = ImageRef::new(image.width(), rows.len() as u32, bytes, PixelType::U8x3).map_err(|e| failed(&e))?;
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    if let Some((top, stretch)) = stretch {
        options = options.crop(0.0, top, f64::from(image.width()), stretch.min(f64::from(rows.len() as u32) - top));
    }
    let mut to = Image::new(width, height, PixelType::U8x3);
    Resizer::new().resize(&from, &mut to, &options).map_err(|e| failed(&e))?;
    RgbImage::from_raw(width, height, to.into_vec()).ok_or_else(|| failed(&"wrong buffer size"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_make_no_difference() {
        let sizes = [(7, 401, 24, 20), (5, 1000, 33, 13), (40, 301, 41, 300), (3, 77, 50, 200), (2, 999, 64, 14), (9, 512, 31, 64)];
        // Not the box, whose edge is so sharp that the rounding of a place shows.
        let filters = [FilterType::Bilinear, FilterType::CatmullRom, FilterType::Lanczos3, FilterType::Hamming];
        for (width, height, new_width, new_height) in sizes {
            let image = RgbImage::from_fn(width, height, |x, y| {
                let value = (x * 31 + y * y * 7 + x * y) as u8;
                image::Rgb([value, value.wrapping_mul(3), value.rotate_left(3)])
            });
            for filter in filters {
                let whole = resize_in_bands(&image, new_height, new_width, filter, u64::MAX).unwrap();
                let tall = u64::from(new_width) * u64::from(height);
                let banded = resize_in_bands(&image, new_height, new_width, filter, tall - 1).unwrap();
                assert!(whole == banded, "{width}x{height} to {new_width}x{new_height} by {filter:?}");
            }
        }
    }

    #[test]
    fn thin_images_need_no_memory_without_end() {
        let image = RgbImage::new(1, 3000);
        assert_eq!(resize_in_bands(&image, 32, 32, FilterType::CatmullRom, 20_000).unwrap().dimensions(), (32, 32));
        let error = resize(&RgbImage::new(1, MAX_SIDE + 1), 16, 16, Resample::Bilinear).unwrap_err();
        assert!(error.kind() == ErrorKind::Media && error.to_string().contains("1x8388609"), "{error}");
        assert!(resize_in_bands(&image, 2, 500, FilterType::Bilinear, 1000).unwrap_err().to_string().contains("too thin"));
    }
}

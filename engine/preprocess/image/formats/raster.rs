//! The formats that the `image` crate decodes: PNG, WebP, BMP and QOI; of moving pictures the first frame.

use std::io::Cursor;

use image::codecs::{bmp::BmpDecoder, png::PngDecoder, qoi::QoiDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, ImageError, Limits};

use super::{Picture, png_chunks};
use crate::Result;
use crate::preprocess::image::orientation;
use crate::preprocess::image::pixels::{check_size, clipped, damaged, first_three, from_gray, rgb, upper};

/// What decoders may keep beside the pixels: a palette, a window, metadata.
const BESIDE_PIXELS: u64 = 1 << 24;

pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

pub(super) fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

pub(super) fn is_bmp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM")
}

pub(super) fn is_qoi(bytes: &[u8]) -> bool {
    bytes.starts_with(b"qoif")
}

/// Without colour profile and packed texts, which unpack to any size and are not used.
pub(super) fn decode_png(bytes: &[u8], name: &str) -> Result<Picture> {
    // The header says how long a row is, which the decoder asks memory for before it can be asked for the size.
    let width = bytes.get(16..20).map_or(0, |b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])));
    let limits = limits(width.min(crate::preprocess::image::MAX_PIXELS));
    let gray_16_bit = bytes.get(24..26) == Some(&[16, 0]);
    let kept = png_chunks::without_packed(bytes);
    let decode = |bytes: &[u8]| run(PngDecoder::with_limits(Cursor::new(bytes), limits.clone()), name, gray_16_bit);
    let decoded = decode(&kept).or_else(|error| match png_chunks::mended(&kept) {
        Some(mended) => decode(&mended),
        None => Err(error),
    });
    Ok((decoded?.0, png_chunks::orientation(bytes)))
}

pub(super) fn decode_webp(bytes: &[u8], name: &str) -> Result<Picture> {
    run(WebPDecoder::new(Cursor::new(bytes)), name, false)
}

/// Of colours with 5 and 6 bits the decoder rounds what Pillow cuts.
pub(super) fn decode_bmp(bytes: &[u8], name: &str) -> Result<Picture> {
    let (mut image, orientation) = run(BmpDecoder::new(Cursor::new(bytes)), name, false)?;
    if bytes.get(28..30) == Some(&[16, 0]) {
        // The masks say how many bits green has; red and blue have five.
        let masks = bytes.get(30..34) == Some(&[3, 0, 0, 0]);
        let six = masks && bytes.get(58..62) == Some(&[0xe0, 0x07, 0, 0]);
        for pixel in image.pixels_mut() {
            for (channel, value) in pixel.0.iter_mut().enumerate() {
                let largest = if six && channel == 1 { 63 } else { 31 };
                let step = (u32::from(*value) * largest + 127) / 255;
                *value = (step * 255 / largest) as u8;
            }
        }
    }
    Ok((image, orientation))
}

/// A bitmap as icons have it.
pub(super) fn decode_bitmap_without_header(bytes: &[u8], name: &str) -> Result<Picture> {
    run(BmpDecoder::new_without_file_header(Cursor::new(bytes)), name, false)
}

pub(super) fn decode_qoi(bytes: &[u8], name: &str) -> Result<Picture> {
    run(QoiDecoder::new(Cursor::new(bytes)), name, false)
}

fn run(decoder: std::result::Result<impl ImageDecoder, ImageError>, name: &str, gray_16_bit: bool) -> Result<Picture> {
    let wrong = |e: ImageError| damaged(name, e);
    let mut decoder = decoder.map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, name)?;
    decoder.set_limits(limits(u64::from(width) * u64::from(height))).map_err(wrong)?;
    let orientation = orientation::of_file(&mut decoder);
    let raw = to_rgb(DynamicImage::from_decoder(decoder).map_err(wrong)?, gray_16_bit);
    Ok((rgb(width, height, raw, name)?, orientation))
}

/// Sixteen bytes for each pixel hold the largest format, and as much again what decoders keep of them.
fn limits(pixels: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(pixels * 32 + BESIDE_PIXELS);
    limits
}

/// Colours without transparency. Of 16 bits per channel the upper 8 count, but gray is clipped: both as in Pillow.
fn to_rgb(image: DynamicImage, gray_16_bit: bool) -> Vec<u8> {
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageLuma8(image) => from_gray(image.into_raw().into_iter()),
        DynamicImage::ImageLumaA8(image) => from_gray(image.into_raw().chunks_exact(2).map(|p| p[0])),
        DynamicImage::ImageRgba8(image) => first_three(image.as_raw(), 4),
        DynamicImage::ImageLuma16(image) => from_gray(image.into_raw().into_iter().map(|v| clipped(v.into()))),
        // Gray whose alpha says only which shade is transparent is clipped as well.
        DynamicImage::ImageLumaA16(image) if gray_16_bit => from_gray(image.as_raw().chunks_exact(2).map(|p| clipped(p[0].into()))),
        DynamicImage::ImageLumaA16(image) => from_gray(image.as_raw().chunks_exact(2).map(|p| upper(p[0]))),
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageRgba16(image) => image.as_raw().chunks_exact(4).flat_map(|p| [upper(p[0]), upper(p[1]), upper(p[2])]).collect(),
        other => other.into_rgb8().into_raw(),
    }
}

//! Pixels of every kind become 8-bit RGB, with the arithmetic that Pillow has.

use formers_converters::content::has_room;
use image::RgbImage;

use super::MAX_PIXELS;
use crate::{Error, ErrorKind, Result};

/// An error about a file that is not as its format says.
pub(super) fn damaged(name: &str, reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Media, format!("{name}: the image is damaged or of an unsupported kind: {reason}"))
}

/// What decoding takes at most: four channels of 16 bits, or three of 32, and the colours that become of them.
const BYTES_PER_PIXEL: u64 = 16;

/// Refuses images without pixels and those with more than the limit or than memory has room for, before anything is allocated for them.
pub(super) fn check_size(width: u32, height: u32, name: &str) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS {
        let message = format!("{name}: an image of {width}x{height} pixels; up to {MAX_PIXELS} pixels are read");
        return Err(Error::new(ErrorKind::Media, message));
    }
    if !has_room(pixels * BYTES_PER_PIXEL) {
        return Err(Error::new(ErrorKind::Media, format!("{name}: memory has no room for an image of {width}x{height} pixels")));
    }
    Ok(())
}

/// The image of these bytes, three for a pixel.
pub(super) fn rgb(width: u32, height: u32, raw: Vec<u8>, name: &str) -> Result<RgbImage> {
    RgbImage::from_raw(width, height, raw).ok_or_else(|| damaged(name, "wrong number of pixels"))
}

/// Gray shades, each three times.
pub(super) fn from_gray(shades: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut raw = Vec::with_capacity(shades.size_hint().0 * 3);
    for shade in shades {
        raw.extend_from_slice(&[shade; 3]);
    }
    raw
}

/// The first three of every `channels` bytes.
pub(super) fn first_three(raw: &[u8], channels: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(raw.len() / channels * 3);
    for pixel in raw.chunks_exact(channels) {
        rgb.extend_from_slice(&pixel[..3]);
    }
    rgb
}

/// Gray of more than 8 bits: not scaled, but clipped.
pub(super) fn clipped(value: i64) -> u8 {
    value.clamp(0, 255) as u8
}

/// Colours of 16 bits: the upper 8.
pub(super) fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

/// Floating point gray: clipped, and rounded towards 0. What is not a number is black.
pub(super) fn from_float(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

/// Ink as light.
pub(super) fn from_cmyk(ink: [u8; 4]) -> [u8; 3] {
    let white = 255 - i32::from(ink[3]);
    std::array::from_fn(|channel| {
        let product = i32::from(ink[channel]) * white + 128;
        (white - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
    })
}

/// Luma and two colour differences, as JPEG has them, by Pillow's fixed-point tables.
pub(super) fn from_ycbcr(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let part = |weight: f64, difference: u8| (weight * (f64::from(difference) - 128.0) * 64.0 + 0.5) as i32;
    let green = part(-0.34414, blue) + part(-0.71414, red);
    [part(1.402, red), green, part(1.772, blue)].map(|x| (i32::from(luma) + (x >> 6)).clamp(0, 255) as u8)
}

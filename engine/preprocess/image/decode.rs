//! An image file becomes RGB pixels, as Pillow opens it, turns it upright and converts it to RGB.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage, metadata::Orientation};

use super::{jpeg, orientation};
use crate::{Error, ErrorKind, Result, preprocess::media::guarded};

/// The most pixels an image may have: where Pillow stops as well, taking more for an attack.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Decodes PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF. `name` says in errors which input it was.
pub fn decode_rgb(bytes: &[u8], name: &str) -> Result<RgbImage> {
    let media = |message: String| Error::new(ErrorKind::Media, format!("{name}: {message}"));
    if bytes.is_empty() {
        return Err(media("the image is empty (0 bytes)".into()));
    }
    let (image, orientation) = guarded(name, || if jpeg::is_jpeg(bytes) { jpeg::decode(bytes, name) } else { decode(bytes, name) })?;
    Ok(orientation::apply(image, orientation))
}

/// Every format but JPEG.
fn decode(bytes: &[u8], name: &str) -> Result<(RgbImage, Orientation)> {
    let media = |message: String| Error::new(ErrorKind::Media, format!("{name}: {message}"));
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| media(format!("cannot be read: {e}")))?;
    if reader.format().is_none() {
        return Err(media("not an image in a known format (PNG, JPEG, WebP, BMP, GIF, TIFF)".into()));
    }
    reader.limits(Limits::no_limits());
    let undecodable = |e: image::ImageError| media(format!("the image is damaged or of an unsupported kind: {e}"));
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS {
        return Err(media(format!("an image of {width}x{height} pixels; up to {MAX_PIXELS} pixels are read")));
    }
    let mut limits = Limits::default();
    // Sixteen bytes for each pixel hold the largest format, and as much again what decoders keep beside it.
    limits.max_alloc = Some(pixels * 32 + (1 << 24));
    decoder.set_limits(limits).map_err(undecodable)?;
    let orientation = orientation::of_file(&mut decoder);
    let image = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    Ok((to_rgb(image, is_gray_16_bit_png(bytes)), orientation))
}

/// Colours without transparency. Of 16 bits per channel the upper 8 count, but gray is clipped: both as in Pillow.
fn to_rgb(image: DynamicImage, gray_16_bit: bool) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let gray = |values: Vec<u8>| values.into_iter().flat_map(|v| [v; 3]).collect::<Vec<u8>>();
    let raw = match image {
        DynamicImage::ImageRgb8(image) => return image,
        DynamicImage::ImageLuma8(image) => gray(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => gray(image.into_raw().chunks_exact(2).map(|p| p[0]).collect()),
        DynamicImage::ImageRgba8(image) => image.into_raw().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        DynamicImage::ImageLuma16(image) => gray(image.into_raw().into_iter().map(clipped).collect()),
        // Gray whose alpha says only which shade is transparent is clipped as well.
        DynamicImage::ImageLumaA16(image) if gray_16_bit => gray(image.into_raw().chunks_exact(2).map(|p| clipped(p[0])).collect()),
        DynamicImage::ImageLumaA16(image) => gray(image.into_raw().chunks_exact(2).map(|p| upper(p[0])).collect()),
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageRgba16(image) => {
            image.into_raw().chunks_exact(4).flat_map(|p| [upper(p[0]), upper(p[1]), upper(p[2])]).collect()
        }
        other => return other.into_rgb8(),
    };
    RgbImage::from_raw(width, height, raw).unwrap_or_default()
}

/// Whether the header says so: what is decoded has an alpha channel if one shade is transparent.
fn is_gray_16_bit_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG") && bytes.get(24..26) == Some(&[16, 0])
}

fn clipped(value: u16) -> u8 {
    value.min(255) as u8
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

//! JPEG to the byte as libjpeg-turbo decodes it, which Pillow uses: decoders that round otherwise change a model's scores visibly.

use image::{RgbImage, metadata::Orientation};
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, PixelFormat};

use super::{MAX_PIXELS, orientation};
use crate::{Error, ErrorKind, Result};

/// Whether these bytes are JPEG.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// The pixels and the orientation that the file asks for.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<(RgbImage, Orientation)> {
    let damaged =
        |e: &dyn std::fmt::Display| Error::new(ErrorKind::Media, format!("{name}: the image is damaged or of an unsupported kind: {e}"));
    let limits = DecodeLimits { max_pixels: MAX_PIXELS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| damaged(&e))?;
    let orientation = orientation::of_metadata(decoder.exif_data(), decoder.xmp_data());
    let format = match decoder.jpeg_color_space() {
        ColorSpace::Grayscale => PixelFormat::Grayscale,
        ColorSpace::Cmyk | ColorSpace::Ycck => PixelFormat::Cmyk,
        _ => PixelFormat::Rgb,
    };
    decoder.set_output_format(format);
    let image = decoder.decode_image().map_err(|e| damaged(&e))?;
    let raw = match image.pixel_format {
        PixelFormat::Grayscale => image.data.into_iter().flat_map(|v| [v; 3]).collect(),
        PixelFormat::Cmyk => image.data.chunks_exact(4).flat_map(from_inverted_cmyk).collect(),
        _ => image.data,
    };
    let rgb = RgbImage::from_raw(image.width as u32, image.height as u32, raw).ok_or_else(|| damaged(&"wrong number of pixels"))?;
    Ok((rgb, orientation))
}

/// Files store ink inverted, as Adobe began; the colours mix as in Pillow.
fn from_inverted_cmyk(pixel: &[u8]) -> [u8; 3] {
    let white = i32::from(pixel[3]);
    std::array::from_fn(|channel| {
        let product = (255 - i32::from(pixel[channel])) * white + 128;
        (white - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
    })
}

//! JPEG to the byte as libjpeg-turbo decodes it, which Pillow uses: decoders that round otherwise change a model's scores visibly.

use image::RgbImage;
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, PixelFormat};

use super::Picture;
use crate::Result;
use crate::preprocess::image::pixels::{check_size, damaged, from_cmyk, from_gray, rgb};
use crate::preprocess::image::{MAX_PIXELS, orientation};

/// Whether these bytes are JPEG.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// The pixels and the orientation that the file asks for.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    check_frame(bytes, name)?;
    let limits = DecodeLimits { max_pixels: MAX_PIXELS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| damaged(name, e))?;
    let orientation = orientation::of_metadata(decoder.exif_data(), decoder.xmp_data());
    let format = match decoder.jpeg_color_space() {
        ColorSpace::Grayscale => PixelFormat::Grayscale,
        ColorSpace::Cmyk | ColorSpace::Ycck => PixelFormat::Cmyk,
        _ => PixelFormat::Rgb,
    };
    decoder.set_output_format(format);
    let image = decoder.decode_image().map_err(|e| damaged(name, e))?;
    let raw = match image.pixel_format {
        PixelFormat::Grayscale => from_gray(image.data.into_iter()),
        // Files store ink inverted, as Adobe began.
        PixelFormat::Cmyk => image.data.chunks_exact(4).flat_map(|p| from_cmyk([255 - p[0], 255 - p[1], 255 - p[2], 255 - p[3]])).collect(),
        _ => image.data,
    };
    let image: RgbImage = rgb(image.width as u32, image.height as u32, raw, name)?;
    Ok((image, orientation))
}

/// What the decoder takes for granted and would stop at: that there are pixels, and that of four colours the first and the last have
/// all of them and the two between equally many, as all programs write them.
fn check_frame(bytes: &[u8], name: &str) -> Result<()> {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if let Some(&[rows_high, rows_low, columns_high, columns_low]) = bytes.get(at + 5..at + 9).filter(|_| is_frame) {
            let side = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
            check_size(side(columns_high, columns_low), side(rows_high, rows_low), name)?;
        }
        if let Some(&[4, ref colours @ ..]) = bytes.get(at + 9..at + 22).filter(|_| is_frame) {
            // For each its name, its samples across and down in four bits each, and its table.
            let samples = |colour: usize| (colours[colour * 3 + 1] >> 4, colours[colour * 3 + 1] & 15);
            let (all, some) = (samples(0), samples(1));
            let divides = |part: u8, whole: u8| part > 0 && whole.is_multiple_of(part);
            if samples(3) != all || samples(2) != some || !divides(some.0, all.0) || !divides(some.1, all.1) {
                return Err(damaged(name, "four colours with different numbers of pixels"));
            }
        }
        if is_frame || marker == 0xda {
            break;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    Ok(())
}

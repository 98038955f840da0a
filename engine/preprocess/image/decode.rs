//! An image file becomes RGB pixels, as Pillow opens it, turns it upright and converts it to RGB.

use image::RgbImage;

use super::{formats, orientation};
use crate::{Error, ErrorKind, Result, preprocess::media::guarded};

/// The most pixels an image may have: where Pillow stops as well, taking more for an attack.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Decodes PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF (feature `avif`), JPEG 2000, PNM, ICO, QOI or TGA, told apart by content; of files
/// with several pictures the first, of icons the largest. `name` says in errors which input it was.
pub fn decode_rgb(bytes: &[u8], name: &str) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Media, format!("{name}: the image is empty (0 bytes)")));
    }
    let (image, orientation) = guarded(name, || formats::decode(bytes, name))?;
    Ok(orientation::apply(image, orientation))
}

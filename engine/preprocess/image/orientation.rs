//! The orientation that a camera wrote into a file, undone.

use image::metadata::Orientation;
use image::{ImageDecoder, RgbImage, imageops};

/// The orientation in a file's Exif data, or failing that in its XMP data.
pub(super) fn of_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    exif.and_then(Orientation::from_exif_chunk).or_else(|| xmp.and_then(of_xmp)).unwrap_or(Orientation::NoTransforms)
}

/// As [`of_metadata`], for a decoder; TIFF files have the entry among their own.
pub(super) fn of_file(decoder: &mut impl ImageDecoder) -> Orientation {
    let (exif, xmp) = (decoder.exif_metadata().ok().flatten(), decoder.xmp_metadata().ok().flatten());
    match of_metadata(exif.as_deref(), xmp.as_deref()) {
        Orientation::NoTransforms => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        found => found,
    }
}

/// The digit after `tiff:Orientation="` or `tiff:Orientation>`.
fn of_xmp(xmp: &[u8]) -> Option<Orientation> {
    let name = b"tiff:Orientation";
    xmp.windows(name.len()).enumerate().filter(|(_, window)| window == name).find_map(|(at, _)| match &xmp[at + name.len()..] {
        [b'=', b'"', digit, ..] | [b'>', digit, ..] if digit.is_ascii_digit() => Orientation::from_exif(digit - b'0'),
        _ => None,
    })
}

/// The image turned and mirrored as it should be seen.
pub(super) fn apply(image: RgbImage, orientation: Orientation) -> RgbImage {
    match orientation {
        Orientation::NoTransforms => image,
        Orientation::FlipHorizontal => imageops::flip_horizontal(&image),
        Orientation::Rotate180 => imageops::rotate180(&image),
        Orientation::FlipVertical => imageops::flip_vertical(&image),
        Orientation::Rotate90FlipH => imageops::flip_horizontal(&imageops::rotate90(&image)),
        Orientation::Rotate90 => imageops::rotate90(&image),
        Orientation::Rotate270FlipH => imageops::flip_horizontal(&imageops::rotate270(&image)),
        Orientation::Rotate270 => imageops::rotate270(&image),
    }
}

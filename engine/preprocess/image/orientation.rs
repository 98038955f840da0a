//! The orientation that a camera wrote into a file, undone.

use image::metadata::Orientation;
use image::{ImageDecoder, RgbImage, imageops};

/// The orientation in a file's Exif data, or failing that in its XMP data.
pub(super) fn of_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    exif.and_then(of_exif).or_else(|| xmp.and_then(of_xmp)).unwrap_or(Orientation::NoTransforms)
}

/// The orientation in Exif data, which files of all kinds have with or without the words that JPEG puts before it.
pub(super) fn of_exif(exif: &[u8]) -> Option<Orientation> {
    const WORDS: &[u8] = b"Exif\0\0";
    const ORIENTATION: u64 = 0x0112;
    let data = exif.strip_prefix(WORDS).unwrap_or(exif);
    let data = data.strip_prefix(WORDS).unwrap_or(data);
    let is_big = match data.get(..4)? {
        b"MM\0*" | b"MM*\0" => true,
        b"II*\0" | b"II\0*" => false,
        _ => return None,
    };
    let number = |at: usize, length: usize| {
        let bytes = data.get(at..at.checked_add(length)?)?.iter().map(|byte| u64::from(*byte));
        Some(if is_big { bytes.fold(0, |sum, byte| sum << 8 | byte) } else { bytes.rev().fold(0, |sum, byte| sum << 8 | byte) })
    };
    let list = usize::try_from(number(4, 4)?).ok()?;
    let count = usize::try_from(number(list, 2)?).ok()?;
    let entries = (0..count).map(|entry| list + 2 + entry * 12);
    let entry = entries.take_while(|entry| entry + 12 <= data.len()).find(|entry| number(*entry, 2) == Some(ORIENTATION))?;
    // Whole numbers of two or four bytes, and one of them.
    let value = match (number(entry + 2, 2)?, number(entry + 4, 4)?) {
        (3 | 8, 1) => number(entry + 8, 2)?,
        (4 | 9, 1) => number(entry + 8, 4)?,
        _ => 0,
    };
    let known = u8::try_from(value).ok().and_then(Orientation::from_exif);
    Some(known.unwrap_or(Orientation::NoTransforms))
}

/// As [`of_metadata`], for a decoder.
pub(super) fn of_file(decoder: &mut impl ImageDecoder) -> Orientation {
    let (exif, xmp) = (decoder.exif_metadata().ok().flatten(), decoder.xmp_metadata().ok().flatten());
    of_metadata(exif.as_deref(), xmp.as_deref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exif_says_it_in_several_ways() {
        let entry = |kind: u8, value: u8| -> Vec<u8> {
            let mut data = b"II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
            data.extend([kind, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]);
            data
        };
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        let behind = |data: Vec<u8>| [b"Exif\0\0".to_vec(), data].concat();
        let cases = [
            (entry(3, 6), Some(Orientation::Rotate90)),
            (entry(4, 8), Some(Orientation::Rotate270)),
            (entry(9, 3), Some(Orientation::Rotate180)),
            (entry(1, 6), Some(Orientation::NoTransforms)),
            (entry(3, 9), Some(Orientation::NoTransforms)),
            (behind(entry(3, 6)), Some(Orientation::Rotate90)),
            (behind(behind(big.clone())), Some(Orientation::Rotate90)),
            (big, Some(Orientation::Rotate90)),
            (b"II*\0\xff\xff\xff\xff".to_vec(), None),
            (b"II*\0\x08\0\0\0\xff\xff\x12\x01".to_vec(), None),
            (b"Exif\0\0".to_vec(), None),
            (Vec::new(), None),
        ];
        for (data, expected) in cases {
            assert_eq!(of_exif(&data), expected, "{data:?}");
        }
    }
}

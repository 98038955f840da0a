//! Windows icons and pointers: of the pictures in a file the largest, and of several with that size the one with the fewest colours, as in Pillow.

use image::metadata::Orientation;

use super::{Picture, raster};
use crate::Result;
use crate::preprocess::image::pixels::damaged;

/// Reserved 0, type 1 or 2, and at least one picture.
pub(super) fn is_icon(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 1 | 2, 0, ..]) && bytes.get(4..6).is_some_and(|count| count != [0, 0])
}

/// The picture that counts: a PNG file, or a bitmap without its file header, whose height counts a mask as well.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let count = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    let entries = bytes.get(6..6 + count * 16).ok_or_else(|| damaged(name, "its list of pictures is cut off"))?;
    let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
    let pointer = bytes[2] == 2;
    // Pointers have the place that they point with instead.
    let depth = |entry: &[u8]| match (u16::from_le_bytes([entry[6], entry[7]]), entry[2]) {
        _ if pointer => 0,
        (0, 0) => 256,
        (0, colours) => u32::from(colours).next_power_of_two().trailing_zeros(),
        (bits, _) => u32::from(bits),
    };
    let area = |entry: &[u8]| side(entry[0]) * side(entry[1]);
    let best = entries.chunks_exact(16).min_by_key(|entry| (std::cmp::Reverse(area(entry)), depth(entry)));
    let entry = best.ok_or_else(|| damaged(name, "it has no picture"))?;
    let start = u32::from_le_bytes([entry[12], entry[13], entry[14], entry[15]]) as usize;
    let data = bytes.get(start..).filter(|data| data.len() > 16).ok_or_else(|| damaged(name, "its picture is cut off"))?;
    if raster::is_png(data) {
        let (image, _) = raster::decode_png(data, name)?;
        return Ok((image, Orientation::NoTransforms));
    }
    let mut bitmap = data.to_vec();
    let height = i32::from_le_bytes([data[8], data[9], data[10], data[11]]);
    bitmap[8..12].copy_from_slice(&(height / 2).to_le_bytes());
    raster::decode_bitmap_without_header(&bitmap, name)
}

//! Truevision TGA. Files have no mark at their beginning: what counts is a header in which everything is as it should be.

use image::metadata::Orientation;

use super::Picture;
use crate::Result;
use crate::preprocess::image::pixels::{check_size, damaged, from_gray, rgb};

const HEADER: usize = 18;

/// How a pixel is stored.
#[derive(Clone, Copy)]
enum Kind {
    Bits,
    Gray,
    GrayAlpha,
    Palette,
    /// Five bits for each colour.
    Fifteen,
    Bgr,
    Bgra,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Bits | Self::Gray | Self::Palette => 1,
            Self::GrayAlpha | Self::Fifteen => 2,
            Self::Bgr => 3,
            Self::Bgra => 4,
        }
    }
}

/// Whether the header makes sense.
pub(super) fn is_targa(bytes: &[u8]) -> bool {
    bytes.len() > HEADER && bytes[1] <= 1 && kind(bytes).is_some() && bytes[12..14] != [0; 2] && bytes[14..16] != [0; 2] && bytes[17] < 64
}

fn kind(header: &[u8]) -> Option<Kind> {
    Some(match (header[2], header[16]) {
        (1 | 9, 8) if header[1] == 1 => Kind::Palette,
        (1 | 9, 8) => Kind::Gray,
        (3, 1) => Kind::Bits,
        (3 | 11, 8) => Kind::Gray,
        (3 | 11, 16) => Kind::GrayAlpha,
        (2 | 10, 16) => Kind::Fifteen,
        (2 | 10, 24) => Kind::Bgr,
        (2 | 10, 32) => Kind::Bgra,
        _ => return None,
    })
}

/// The pixels, without alpha.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let wrong = |reason: &str| damaged(name, reason);
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (width, height) = (number(12), number(14));
    check_size(width as u32, height as u32, name)?;
    let kind = kind(bytes).ok_or_else(|| wrong("an unknown kind"))?;
    let mut rest = bytes.get(HEADER + usize::from(bytes[0])..).unwrap_or_default();
    let mut colours = Vec::new();
    if bytes[1] == 1 {
        let (first, count) = (number(3), number(5));
        let size = match bytes[7] {
            16 => 2,
            24 => 3,
            32 => 4,
            _ => return Err(wrong("an unknown kind of palette")),
        };
        let (palette, after) = rest.split_at_checked(count * size).ok_or_else(|| wrong("its palette is cut off"))?;
        rest = after;
        colours = vec![[0; 3]; first];
        colours.extend(palette.chunks_exact(size).map(colour));
    }
    let stored = if bytes[2] & 8 == 0 {
        let stride = if matches!(kind, Kind::Bits) { width.div_ceil(8) } else { width * kind.bytes() };
        rest.get(..stride * height).ok_or_else(|| wrong("it ends too early"))?.to_vec()
    } else {
        unpack(rest, kind.bytes(), width * height).ok_or_else(|| wrong("it ends too early"))?
    };
    let raw: Vec<u8> = match kind {
        Kind::Bits => {
            let rows = stored.chunks_exact(width.div_ceil(8));
            from_gray(rows.flat_map(|row| (0..width).map(move |x| if row[x / 8] >> (7 - x % 8) & 1 == 1 { 255 } else { 0 })))
        }
        Kind::Gray => from_gray(stored.into_iter()),
        Kind::GrayAlpha => from_gray(stored.chunks_exact(2).map(|pixel| pixel[0])),
        Kind::Palette => stored.iter().flat_map(|index| colours.get(usize::from(*index)).copied().unwrap_or_default()).collect(),
        _ => stored.chunks_exact(kind.bytes()).flat_map(colour).collect(),
    };
    let image = rgb(width as u32, height as u32, raw, name)?;
    // Where the first pixel is: at the bottom unless one bit says otherwise, and on the left unless another does.
    let orientation = match bytes[17] >> 4 & 3 {
        0 => Orientation::FlipVertical,
        1 => Orientation::Rotate180,
        2 => Orientation::NoTransforms,
        _ => Orientation::FlipHorizontal,
    };
    Ok((image, orientation))
}

/// Red, green and blue of a pixel of two, three or four bytes.
fn colour(pixel: &[u8]) -> [u8; 3] {
    match *pixel {
        [low, high] => {
            let value = u16::from_le_bytes([low, high]);
            [10, 5, 0].map(|shift| (u32::from(value >> shift & 31) * 255 / 31) as u8)
        }
        [blue, green, red, ..] => [red, green, blue],
        _ => [0; 3],
    }
}

/// Runs of equal pixels and of different ones. Nothing where they end before all pixels are there.
fn unpack(mut packed: &[u8], size: usize, pixels: usize) -> Option<Vec<u8>> {
    // A run of 128 pixels takes one byte and a pixel.
    if packed.len().saturating_mul(128) < pixels {
        return None;
    }
    let mut stored = Vec::with_capacity(pixels * size);
    while stored.len() < pixels * size {
        let (&head, rest) = packed.split_first()?;
        let count = (usize::from(head & 127) + 1).min(pixels - stored.len() / size);
        if head & 128 != 0 {
            let pixel = rest.get(..size)?;
            (0..count).for_each(|_| stored.extend_from_slice(pixel));
            packed = &rest[size..];
        } else {
            stored.extend_from_slice(rest.get(..count * size)?);
            packed = &rest[count * size..];
        }
    }
    Some(stored)
}

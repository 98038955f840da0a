//! JPEG 2000, in its container (JP2) or without it.

use hayro_jpeg2000::{ColorSpace, ComponentData, DecodeSettings, DecoderContext, Image};
use image::metadata::Orientation;

use super::Picture;
use crate::Result;
use crate::preprocess::image::MAX_PIXELS;
use crate::preprocess::image::pixels::{check_size, clipped, damaged, from_cmyk, from_gray, rgb};

/// The mark of the container or of the code stream.
pub(super) fn is_jpeg2000(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0\0\0\x0cjP  \r\n\x87\n") || bytes.starts_with(b"\xff\x4f\xff\x51")
}

/// The pixels. Of more than 8 bits the upper ones count, except for gray, which has 16 and is clipped.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let image = Image::new(bytes, &DecodeSettings::default()).map_err(|e| damaged(name, e))?;
    let (width, height) = (image.width(), image.height());
    check_size(width, height, name)?;
    check_parts(bytes, name)?;
    let cmyk = matches!(image.color_space(), ColorSpace::CMYK);
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|e| damaged(name, e))?;
    let components = decoded.components();
    let pixels = width as usize * height as usize;
    if components.iter().any(|component| component.samples().len() < pixels) {
        return Err(damaged(name, "its colours have different sizes"));
    }
    let plane = |component: &ComponentData| -> Vec<u8> {
        let bits = component.bit_depth();
        component.samples()[..pixels].iter().map(|value| scaled(value.round() as i64, bits)).collect()
    };
    let raw = match components {
        [gray] if gray.bit_depth() > 8 => {
            let extra = 16u8.saturating_sub(gray.bit_depth());
            from_gray(gray.samples()[..pixels].iter().map(|value| clipped((value.round() as i64) << extra)))
        }
        [gray] | [gray, _] => from_gray(plane(gray).into_iter()),
        [cyan, magenta, yellow, black, ..] if cmyk => {
            let (c, m, y, k) = (plane(cyan), plane(magenta), plane(yellow), plane(black));
            (0..pixels).flat_map(|i| from_cmyk([c[i], m[i], y[i], k[i]])).collect()
        }
        [red, green, blue, ..] => {
            let (r, g, b) = (plane(red), plane(green), plane(blue));
            (0..pixels).flat_map(|i| [r[i], g[i], b[i]]).collect()
        }
        [] => return Err(damaged(name, "it has no colours")),
    };
    Ok((rgb(width, height, raw, name)?, Orientation::NoTransforms))
}

/// A value with this many bits in 8. Where there are more it is rounded, without a bound: as in Pillow the largest become 0.
fn scaled(value: i64, bits: u8) -> u8 {
    match bits {
        0..8 => (value << (8 - bits)) as u8,
        8 => clipped(value),
        _ => ((value + (1 << (bits - 9))) >> (bits - 8)) as u8,
    }
}

/// Refuses what the header only claims, since the decoder keeps something for each tile and each sample: more colours than Pillow
/// reads, more samples than memory is good for, and more tiles than the file can have (fourteen bytes are the least).
fn check_parts(bytes: &[u8], name: &str) -> Result<()> {
    let wrong = |reason: &str| damaged(name, reason);
    let start = bytes.windows(4).position(|mark| mark == b"\xff\x4f\xff\x51").ok_or_else(|| wrong("it has no code stream"))?;
    let header = bytes.get(start + 8..start + 42).ok_or_else(|| wrong("its header is cut off"))?;
    let number = |at: usize| u64::from(u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    let along = |side: usize| number(side).saturating_sub(number(side + 24)).div_ceil(number(side + 16).max(1));
    let (tiles, colours) = (along(0).saturating_mul(along(4)), u64::from(u16::from_be_bytes([header[32], header[33]])));
    if tiles.saturating_mul(14) > bytes.len() as u64 {
        return Err(wrong("it has fewer tiles than it says"));
    }
    let samples = number(0).saturating_mul(number(4)).saturating_mul(colours);
    if colours > 4 || samples > 2 * MAX_PIXELS {
        return Err(wrong("it has too many colours, or too many pixels for so many"));
    }
    Ok(())
}

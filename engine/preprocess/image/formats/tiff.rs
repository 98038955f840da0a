//! TIFF: strips and tiles, planes, packed or not; bits, bytes, words and floating point.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::Picture;
use crate::Result;
use crate::preprocess::image::orientation;
use crate::preprocess::image::pixels::{check_size, clipped, damaged, from_cmyk, from_float, from_gray, from_ycbcr, rgb, upper};

const PHOTOMETRIC: u16 = 262;
const PALETTE: u64 = 3;
/// For palettes, of up to 65536 colours.
const BESIDE_PIXELS: usize = 1 << 24;
const XMP: Tag = Tag::Unknown(700);

/// Either order of bytes, and either size of offsets.
pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| bytes.starts_with(mark))
}

/// The pixels of the first picture, and how it is to be turned.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let wrong = |e: tiff::TiffError| damaged(name, e);
    let (bytes, palette) = with_palette_as_gray(bytes);
    let mut decoder = Decoder::new(Cursor::new(&*bytes)).map_err(wrong)?;
    let (width, height) = decoder.dimensions().map_err(wrong)?;
    check_size(width, height, name)?;
    let pixels = width as usize * height as usize;
    let mut limits = Limits::default();
    // Eight bytes for each of four samples, and as much for what is unpacked at once; maps and profiles are small.
    limits.decoding_buffer_size = pixels * 32 + BESIDE_PIXELS;
    limits.intermediate_buffer_size = pixels * 32 + BESIDE_PIXELS;
    let mut decoder = decoder.with_limits(limits);
    let xmp = decoder.find_tag(XMP).ok().flatten().and_then(|value| value.into_u8_vec().ok());
    let turned = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let turned = turned.and_then(|value| Orientation::from_exif(u8::try_from(value).ok()?));
    let orientation = turned.unwrap_or_else(|| orientation::of_metadata(None, xmp.as_deref()));

    let color = decoder.colortype().map_err(wrong)?;
    let colours = if palette { Some(decoder.get_tag_u16_vec(Tag::ColorMap).map_err(wrong)?) } else { None };
    let premultiplied =
        decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().is_some_and(|kinds| kinds.first() == Some(&1));
    let planes = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten() == Some(2);
    if planes && decoder.get_chunk_type() == ChunkType::Tile {
        // The decoder stops the program at tiles that reach over the edge of a plane.
        return Err(damaged(name, "TIFF with tiles of planes; store it with strips, or all colours together"));
    }
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(wrong)?;
    if samples.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(damaged(name, "it has too many planes"));
    }
    let channels = usize::from(color.num_samples());
    let plane = if layout.planes > 1 { Some(pixels) } else { None };
    let samples = Samples { width: width as usize, channels, plane, color, values: samples };
    let short = || damaged(name, "it has too few samples");
    let raw = match (colours, color) {
        (Some(colours), _) => samples.coloured(&colours, pixels),
        (None, ColorType::RGB(_)) => samples.colours(pixels, false),
        (None, ColorType::RGBA(_)) => samples.colours(pixels, premultiplied),
        (None, ColorType::CMYK(8) | ColorType::CMYKA(8)) => samples.inks(pixels),
        (None, ColorType::Gray(_) | ColorType::GrayA(_) | ColorType::Multiband { .. }) => samples.grays(pixels),
        (None, ColorType::YCbCr(8)) => samples.luma(pixels),
        (None, other) => return Err(damaged(name, format!("TIFF with {other:?}"))),
    };
    Ok((rgb(width, height, raw.ok_or_else(short)?, name)?, orientation))
}

/// What was decoded, sample by sample or plane by plane; samples of less than a byte are packed, in whole bytes for each row.
struct Samples {
    width: usize,
    channels: usize,
    /// How many samples from one plane to the next.
    plane: Option<usize>,
    color: ColorType,
    values: DecodingResult,
}

impl Samples {
    /// Where a pixel's sample is.
    fn index(&self, pixel: usize, channel: usize) -> usize {
        match self.plane {
            Some(plane) => plane * channel + pixel,
            None => pixel * self.channels + channel,
        }
    }

    /// A sample of up to 8 bits, as it is stored.
    fn small(&self, bytes: &[u8], pixel: usize) -> Option<u8> {
        let bits = usize::from(self.color.bit_depth());
        if bits >= 8 {
            return bytes.get(self.index(pixel, 0)).copied();
        }
        let stride = (self.width * self.channels * bits).div_ceil(8);
        let bit = (pixel % self.width) * self.channels * bits;
        let byte = bytes.get(pixel / self.width * stride + bit / 8)?;
        Some((u16::from(*byte) >> (8 - bits - bit % 8)) as u8 & ((1u16 << bits) - 1) as u8)
    }

    fn grays(&self, pixels: usize) -> Option<Vec<u8>> {
        let shades = |shade: &dyn Fn(usize) -> Option<u8>| -> Option<Vec<u8>> {
            let shades: Option<Vec<u8>> = (0..pixels).map(shade).collect();
            Some(from_gray(shades?.into_iter()))
        };
        let at = |pixel: usize| self.index(pixel, 0);
        let bits = self.color.bit_depth();
        match &self.values {
            DecodingResult::U8(v) => {
                let largest = if bits >= 8 { 255 } else { (1u32 << bits) - 1 };
                shades(&|p| Some((u32::from(self.small(v, p)?) * 255 / largest) as u8))
            }
            DecodingResult::U16(v) => shades(&|p| v.get(at(p)).map(|v| clipped((*v).into()))),
            DecodingResult::I16(v) => shades(&|p| v.get(at(p)).map(|v| clipped((*v).into()))),
            DecodingResult::U32(v) => shades(&|p| v.get(at(p)).map(|v| clipped((*v as i32).into()))),
            DecodingResult::I32(v) => shades(&|p| v.get(at(p)).map(|v| clipped((*v).into()))),
            DecodingResult::I8(v) => shades(&|p| v.get(at(p)).map(|v| *v as u8)),
            DecodingResult::F16(v) => shades(&|p| v.get(at(p)).map(|v| from_float(v.to_f32()))),
            DecodingResult::F32(v) => shades(&|p| v.get(at(p)).map(|v| from_float(*v))),
            DecodingResult::F64(v) => shades(&|p| v.get(at(p)).map(|v| from_float(*v as f32))),
            _ => None,
        }
    }

    fn colours(&self, pixels: usize, premultiplied: bool) -> Option<Vec<u8>> {
        let sample = |pixel: usize, channel: usize| -> Option<u8> {
            let at = self.index(pixel, channel);
            match &self.values {
                DecodingResult::U8(v) => v.get(at).copied(),
                DecodingResult::U16(v) => v.get(at).map(|v| upper(*v)),
                DecodingResult::F32(v) => v.get(at).map(|v| from_float(v * 255.0)),
                _ => None,
            }
        };
        let mut raw = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            let alpha = if premultiplied { u32::from(sample(pixel, 3)?) } else { 255 };
            for channel in 0..3 {
                let value = sample(pixel, channel)?;
                raw.push(if alpha == 255 { value } else { (u32::from(value) * 255).checked_div(alpha).unwrap_or(0).min(255) as u8 });
            }
        }
        Some(raw)
    }

    fn inks(&self, pixels: usize) -> Option<Vec<u8>> {
        let DecodingResult::U8(v) = &self.values else { return None };
        let mut raw = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            let ink = |channel: usize| v.get(self.index(pixel, channel)).copied();
            raw.extend(from_cmyk([ink(0)?, ink(1)?, ink(2)?, ink(3)?]));
        }
        Some(raw)
    }

    /// Luma and two colour differences, as JPEG has them.
    fn luma(&self, pixels: usize) -> Option<Vec<u8>> {
        let DecodingResult::U8(v) = &self.values else { return None };
        let mut raw = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            let value = |channel: usize| v.get(self.index(pixel, channel)).copied();
            raw.extend(from_ycbcr(value(0)?, value(1)?, value(2)?));
        }
        Some(raw)
    }

    /// The map holds all reds, then all greens, then all blues, in 16 bits.
    fn coloured(&self, colours: &[u16], pixels: usize) -> Option<Vec<u8>> {
        let DecodingResult::U8(v) = &self.values else { return None };
        let count = colours.len() / 3;
        let mut raw = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            let index = usize::from(self.small(v, pixel)?);
            for channel in 0..3 {
                raw.push(colours.get(channel * count + index).filter(|_| index < count).map_or(0, |value| upper(*value)));
            }
        }
        Some(raw)
    }
}

/// The decoder does not know pictures with a palette: in the first directory they are made gray ones, whose shades are the indices.
fn with_palette_as_gray(bytes: &[u8]) -> (Cow<'_, [u8]>, bool) {
    match palette_entry(bytes) {
        Some((at, gray)) => {
            let mut changed = bytes.to_vec();
            changed[at..at + 2].copy_from_slice(&gray);
            (Cow::Owned(changed), true)
        }
        None => (Cow::Borrowed(bytes), false),
    }
}

/// Where the first directory says that there is a palette, and the bytes that say gray.
fn palette_entry(bytes: &[u8]) -> Option<(usize, [u8; 2])> {
    let little = bytes.first() == Some(&b'I');
    let number = |at: usize, length: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(length)?)?;
        let push = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if little { field.iter().rev().fold(0, push) } else { field.iter().fold(0, push) })
    };
    let big = number(2, 2)? == 43;
    let (start, width, head, entry) = if big { (number(8, 8)?, 8, 8, 20) } else { (number(4, 4)?, 4, 2, 12) };
    let start = usize::try_from(start).ok()?;
    let count = usize::try_from(number(start, head)?).ok()?.min(bytes.len() / entry);
    let entries = (0..count).map(|i| start + head + i * entry);
    let entry = entries.into_iter().find(|at| number(*at, 2) == Some(u64::from(PHOTOMETRIC)))?;
    let value = entry + 4 + width;
    (number(value, 2)? == PALETTE).then_some((value, if little { [1, 0] } else { [0, 1] }))
}

//! Portable anymaps: PBM, PGM and PPM, plain and raw, and gray PFM. Small enough to be read here, with the rounding that Pillow has.

use image::metadata::Orientation;

use super::Picture;
use crate::Result;
use crate::preprocess::image::pixels::{check_size, clipped, damaged, from_float, from_gray, rgb};

/// `P1` to `P6` or `Pf`, and white space.
pub(super) fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'6' | b'f', space, ..] if is_space(*space))
}

/// The pixels.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let wrong = |reason: &str| damaged(name, reason);
    let mut text = Text { bytes, at: 3 };
    let side = |token: Option<&str>| token.and_then(|t| t.parse::<u32>().ok()).ok_or_else(|| wrong("a side is no number"));
    let width = side(text.token())?;
    let height = side(text.token())?;
    check_size(width, height, name)?;
    let kind = bytes[1];
    let raw = match kind {
        b'1' | b'4' => bits(&mut text, kind == b'1', width as usize, height as usize),
        b'f' => floats(&mut text, width as usize, height as usize),
        _ => shades(&mut text, kind, width as usize * height as usize),
    };
    let raw = raw.map_err(wrong)?;
    Ok((rgb(width, height, raw, name)?, Orientation::NoTransforms))
}

const TRUNCATED: &str = "it ends too early";

/// Black is 1. Plain files have a digit for each pixel, raw ones a bit, in whole bytes for each row.
fn bits(text: &mut Text, plain: bool, width: usize, height: usize) -> std::result::Result<Vec<u8>, &'static str> {
    let shade = |one: bool| if one { 0 } else { 255 };
    if plain {
        if text.rest().len() < width * height {
            return Err(TRUNCATED);
        }
        let mut shades = Vec::with_capacity(width * height);
        while shades.len() < width * height {
            match text.next() {
                Some(b @ (b'0' | b'1')) => shades.push(shade(b == b'1')),
                Some(space) if is_space(space) => {}
                Some(_) => return Err("a pixel is neither 0 nor 1"),
                None => return Err(TRUNCATED),
            }
        }
        return Ok(from_gray(shades.into_iter()));
    }
    let stride = width.div_ceil(8);
    let rows = text.rest().get(..stride * height).ok_or(TRUNCATED)?;
    Ok(from_gray(rows.chunks_exact(stride).flat_map(|row| (0..width).map(move |x| shade(row[x / 8] >> (7 - x % 8) & 1 == 1)))))
}

/// Rows from the bottom up; the sign of the scale is the order of the bytes.
fn floats(text: &mut Text, width: usize, height: usize) -> std::result::Result<Vec<u8>, &'static str> {
    let scale: f64 = text.token().and_then(|t| t.parse().ok()).filter(|s: &f64| s.is_finite() && *s != 0.0).ok_or("a bad scale")?;
    let values = text.rest().get(..width * height * 4).ok_or(TRUNCATED)?;
    let value = |b: &[u8]| {
        let bytes = [b[0], b[1], b[2], b[3]];
        from_float(if scale < 0.0 { f32::from_le_bytes(bytes) } else { f32::from_be_bytes(bytes) })
    };
    Ok(from_gray(values.chunks_exact(width * 4).rev().flat_map(|row| row.chunks_exact(4)).map(value)))
}

/// Gray or colours, up to a largest value that the file gives.
fn shades(text: &mut Text, kind: u8, pixels: usize) -> std::result::Result<Vec<u8>, &'static str> {
    let largest: u32 = text.token().and_then(|t| t.parse().ok()).filter(|m| (1..65536).contains(m)).ok_or("a bad largest value")?;
    let gray = matches!(kind, b'2' | b'5');
    let count = if gray { pixels } else { pixels * 3 };
    // Gray of more than 8 bits is scaled to 16 and then clipped.
    let wide = gray && largest > 255;
    let scaled = |value: u32| -> u8 {
        let range = if wide { 65535 } else { 255 };
        let value = (f64::from(value) / f64::from(largest) * f64::from(range)).round_ties_even().min(f64::from(range));
        clipped(value as i64)
    };
    let values: Vec<u8> = if matches!(kind, b'2' | b'3') {
        if text.rest().len() < count {
            return Err(TRUNCATED);
        }
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            let value: u32 = text.token().ok_or(TRUNCATED)?.parse().map_err(|_| "a value is no number")?;
            if value > largest {
                return Err("a value is larger than the largest");
            }
            values.push(scaled(value));
        }
        values
    } else if largest < 256 {
        text.rest().get(..count).ok_or(TRUNCATED)?.iter().map(|v| scaled(u32::from(*v))).collect()
    } else {
        let bytes = text.rest().get(..count * 2).ok_or(TRUNCATED)?;
        bytes.chunks_exact(2).map(|v| scaled(u32::from(u16::from_be_bytes([v[0], v[1]])))).collect()
    };
    Ok(if gray { from_gray(values.into_iter()) } else { values })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// A file's text, read from the front.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    /// What has not been read.
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not part of a comment, which goes from # to the end of the line.
    fn next(&mut self) -> Option<u8> {
        let byte = *self.rest().first()?;
        self.at += 1;
        if byte != b'#' {
            return Some(byte);
        }
        let line = self.rest().iter().position(|b| matches!(b, b'\n' | b'\r'));
        self.at += line.map_or(self.rest().len(), |end| end + 1);
        Some(b'\n')
    }

    /// The next word, of up to ten characters, and the white space after it.
    fn token(&mut self) -> Option<&'a str> {
        let mut start = None;
        let mut end = self.at;
        while let Some(byte) = self.next() {
            if !is_space(byte) {
                start.get_or_insert(self.at - 1);
                end = self.at;
            } else if start.is_some() {
                break;
            }
        }
        std::str::from_utf8(self.bytes.get(start?..end)?).ok().filter(|word| word.len() <= 10)
    }
}

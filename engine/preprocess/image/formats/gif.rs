//! GIF: the first frame. What it does not cover has its transparent colour, or else the first one of its palette, as in Pillow.

use gif::{ColorOutput, DecodeOptions, MemoryLimit};
use image::metadata::Orientation;

use super::Picture;
use crate::Result;
use crate::preprocess::image::pixels::{check_size, damaged, rgb};

pub(super) fn is_gif(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")
}

/// The pixels of the first frame, on a canvas of the picture's size.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let wrong = |e: gif::DecodingError| damaged(name, e);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(crate::preprocess::image::MAX_PIXELS.try_into().unwrap_or(std::num::NonZeroU64::MIN)));
    let mut decoder = options.read_info(bytes).map_err(wrong)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let (mut width, mut height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let frame = decoder.read_next_frame().map_err(wrong)?.ok_or_else(|| damaged(name, "it has no frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (columns, rows) = (usize::from(frame.width), usize::from(frame.height));
    // A frame that reaches over the edge makes the picture larger.
    (width, height) = (width.max(left + columns), height.max(top + rows));
    check_size(width as u32, height as u32, name)?;
    let palette = frame.palette.clone().or(global);
    let colour = |index: u8| -> [u8; 3] {
        match &palette {
            Some(colours) => colours.chunks_exact(3).nth(usize::from(index)).map_or([0; 3], |c| [c[0], c[1], c[2]]),
            None => [index; 3],
        }
    };
    let colours: Vec<[u8; 3]> = (0..=255).map(colour).collect();
    let mut raw = colours[usize::from(frame.transparent.unwrap_or(0))].repeat(width * height);
    for (y, row) in frame.buffer.chunks_exact(columns.max(1)).enumerate().take(rows) {
        let start = ((top + y) * width + left) * 3;
        for (place, index) in raw[start..].chunks_exact_mut(3).zip(row) {
            place.copy_from_slice(&colours[usize::from(*index)]);
        }
    }
    Ok((rgb(width as u32, height as u32, raw, name)?, Orientation::NoTransforms))
}

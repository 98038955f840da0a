//! AVIF: still pictures coded as AV1, in a container of the MP4 family.

mod av1;
mod colors;
mod container;

use super::Picture;
use crate::Result;
use crate::preprocess::image::pixels::{check_size, damaged, rgb};

/// The brands of pictures and of sequences of pictures.
pub(super) fn is_avif(bytes: &[u8]) -> bool {
    let brands = crate::preprocess::boxes::child(bytes, b"ftyp").unwrap_or_default();
    bytes.get(4..8) == Some(b"ftyp") && brands.chunks_exact(4).take(64).any(|brand| matches!(brand, b"avif" | b"avis"))
}

/// The pixels of the primary picture, which may be a grid of tiles, and how it is to be turned.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    let wrong = |reason: &str| damaged(name, reason);
    let still = container::read(bytes).ok_or_else(|| wrong("its container names no picture"))?;
    let (columns, rows) = still.grid;
    let mut whole: Option<Vec<u8>> = None;
    let (mut width, mut height) = still.size;
    if (columns, rows) != (1, 1) {
        check_size(width, height, name)?;
    }
    for (index, tile) in still.tiles.iter().enumerate() {
        let planes = av1::decode(tile).ok_or_else(|| wrong("its AV1 data cannot be decoded"))?;
        let colours = still.colours.unwrap_or(planes.colours);
        let raw = colors::to_rgb(&planes, colours).ok_or_else(|| wrong("its colours are of an unknown kind"))?;
        if (columns, rows) == (1, 1) {
            (width, height) = (planes.width as u32, planes.height as u32);
            whole = Some(raw);
            break;
        }
        // Tiles are of one size; those on the right and at the bottom may reach over the edge.
        let pixels = width as usize * height as usize;
        let canvas = whole.get_or_insert_with(|| vec![0; pixels * 3]);
        let (left, top) = (index % columns * planes.width, index / columns * planes.height);
        let visible = (width as usize).saturating_sub(left).min(planes.width);
        for (y, row) in raw.chunks_exact(planes.width * 3).enumerate().take((height as usize).saturating_sub(top)) {
            let start = ((top + y) * width as usize + left) * 3;
            if let Some(place) = canvas.get_mut(start..start + visible * 3) {
                place.copy_from_slice(&row[..visible * 3]);
            }
        }
    }
    let raw = whole.ok_or_else(|| wrong("it has no tiles"))?;
    Ok((rgb(width, height, raw, name)?, still.orientation))
}

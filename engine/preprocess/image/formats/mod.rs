//! The formats of image files, told apart by their content. A new one is a file next to this one and a line in the table.

#[cfg(feature = "avif")]
mod avif;
mod gif;
mod icon;
mod jpeg;
mod jpeg2000;
mod png_chunks;
mod pnm;
mod raster;
mod targa;
mod tiff;

use image::{RgbImage, metadata::Orientation};

use crate::{Error, ErrorKind, Result};

/// What a file holds: its pixels as they are stored, and how they are to be turned.
pub(super) type Picture = (RgbImage, Orientation);

/// One format.
struct Format {
    /// What users call it.
    name: &'static str,
    /// Whether the file begins as this format does.
    begins: fn(&[u8]) -> bool,
    /// Decodes a file; the name is for errors.
    decode: fn(&[u8], &str) -> Result<Picture>,
}

/// In the order in which they are asked. Targa files have no mark at their beginning, so they come last.
static FORMATS: &[Format] = &[
    Format { name: "PNG", begins: raster::is_png, decode: raster::decode_png },
    Format { name: "JPEG", begins: jpeg::is_jpeg, decode: jpeg::decode },
    Format { name: "WebP", begins: raster::is_webp, decode: raster::decode_webp },
    Format { name: "GIF", begins: gif::is_gif, decode: gif::decode },
    Format { name: "BMP", begins: raster::is_bmp, decode: raster::decode_bmp },
    Format { name: "TIFF", begins: tiff::is_tiff, decode: tiff::decode },
    #[cfg(feature = "avif")]
    Format { name: "AVIF", begins: avif::is_avif, decode: avif::decode },
    Format { name: "JPEG 2000", begins: jpeg2000::is_jpeg2000, decode: jpeg2000::decode },
    Format { name: "PNM", begins: pnm::is_pnm, decode: pnm::decode },
    Format { name: "ICO", begins: icon::is_icon, decode: icon::decode },
    Format { name: "QOI", begins: raster::is_qoi, decode: raster::decode_qoi },
    Format { name: "TGA", begins: targa::is_targa, decode: targa::decode },
];

/// Decodes a file of any of the formats.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Picture> {
    match FORMATS.iter().find(|format| (format.begins)(bytes)) {
        Some(format) => (format.decode)(bytes, name),
        None => {
            let known: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            let known = known.join(", ");
            let message = match unsupported(bytes) {
                Some(kind) => format!("{name}: {kind} is not read; convert the image to one of {known}"),
                None => format!("{name}: not an image in a known format ({known})"),
            };
            Err(Error::new(ErrorKind::Media, message))
        }
    }
}

/// What else a file may be that people take for an image.
fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    let brand = bytes.get(4..8).filter(|kind| *kind == b"ftyp").and_then(|_| bytes.get(8..12));
    match brand {
        Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1") => return Some("HEIC (HEIF)"),
        Some(b"avif" | b"avis") => return Some("AVIF (left out of this build: feature `avif`)"),
        Some(_) => return Some("a video or another file of the MP4 family"),
        None => {}
    }
    let marks: [(&[u8], &str); 7] = [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"DDS ", "DDS"),
        (b"8BPS", "PSD (Photoshop)"),
        (b"%PDF", "PDF"),
        (b"<svg", "SVG"),
        (b"<?xml", "SVG (or other XML)"),
    ];
    marks.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, kind)| *kind)
}

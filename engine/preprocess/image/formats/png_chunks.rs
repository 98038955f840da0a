//! The chunks of a PNG file: what they say of how the picture is to be turned, and what of them can be mended.

use std::borrow::Cow;

use image::metadata::Orientation;

use crate::preprocess::image::orientation;

/// The most that a packed text may unpack to, as in Pillow.
const LONGEST_TEXT: usize = 1 << 20;

/// A chunk, as far as it is there.
struct Chunk<'b> {
    kind: &'b [u8; 4],
    /// Where it begins and ends, with its head and its checksum.
    start: usize,
    end: usize,
    body: &'b [u8],
}

/// The chunks of a file.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let start = at;
        at = at.saturating_add(length).saturating_add(12).min(bytes.len());
        Some(Chunk { kind, start, end: at, body: rest.get(..length).unwrap_or(rest) })
    })
}

/// The orientation that a file asks for, wherever it says so: in a camera's data, which ImageMagick and others write as a text of
/// hexadecimal digits, or in XMP data.
pub(super) fn orientation(bytes: &[u8]) -> Orientation {
    let own = chunks(bytes).filter(|chunk| chunk.kind == b"eXIf").last().map(|chunk| Cow::Borrowed(chunk.body));
    let exif = own.or_else(|| unpacked(&text(bytes, b"Raw profile type exif\0")?).map(Cow::Owned));
    orientation::of_metadata(exif.as_deref(), text(bytes, b"XML:com.adobe.xmp\0").as_deref())
}

/// The last text of a name, which ends with a zero.
fn text(bytes: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let packed = |rest: &[u8]| miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(rest, LONGEST_TEXT).ok();
    let read = |chunk: Chunk<'_>| {
        let rest = chunk.body.strip_prefix(name);
        match chunk.kind {
            b"tEXt" => rest.map(<[u8]>::to_vec),
            b"zTXt" => packed(rest?.strip_prefix(&[0])?),
            b"iTXt" => {
                // Whether it is packed, and how; then a language and a translated name.
                let (how, rest) = rest?.split_first_chunk::<2>()?;
                let rest = rest.splitn(3, |byte| *byte == 0).nth(2)?;
                if how[0] == 0 { Some(rest.to_vec()) } else { packed(rest) }
            }
            _ => None,
        }
    };
    chunks(bytes).filter_map(read).last()
}

/// What hexadecimal digits behind three lines say, of which the last one is how much that is.
fn unpacked(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.splitn(4, |byte| *byte == b'\n').nth(3)?.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<u8>> = digits.map(|byte| u8::try_from(char::from(*byte).to_digit(16)?).ok()).collect();
    Some(digits?.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The file without the chunks that are packed and not looked at; the same bytes where there is none.
pub(super) fn without_packed(bytes: &[u8]) -> Cow<'_, [u8]> {
    const DROPPED: [&[u8; 4]; 2] = [b"iCCP", b"zTXt"];
    let mut kept = Vec::new();
    let mut from = 0;
    for chunk in chunks(bytes).filter(|chunk| DROPPED.contains(&chunk.kind)) {
        kept.extend_from_slice(bytes.get(from..chunk.start).unwrap_or_default());
        from = chunk.end;
    }
    if from == 0 {
        return Cow::Borrowed(bytes);
    }
    kept.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// The file with what Pillow does not look at: right checksums of the pixels, and an end. `None` where that is not what is wrong.
pub(super) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let mut mended = bytes.to_vec();
    for chunk in chunks(bytes).filter(|chunk| chunk.kind == b"IDAT" && chunk.end - chunk.start == chunk.body.len() + 12) {
        let sum = crc32fast::hash(bytes.get(chunk.start + 4..chunk.end - 4)?);
        mended.get_mut(chunk.end - 4..chunk.end)?.copy_from_slice(&sum.to_be_bytes());
    }
    let is_whole = chunks(bytes).last().is_some_and(|last| last.end - last.start == last.body.len() + 12);
    if is_whole && chunks(bytes).all(|chunk| chunk.kind != b"IEND") {
        mended.extend_from_slice(END);
    }
    (mended != bytes).then_some(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap();
        let sum = crc32fast::hash(&[kind.as_slice(), body].concat());
        [&length.to_be_bytes(), kind.as_slice(), body, &sum.to_be_bytes()].concat()
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
    }

    /// A camera's data that asks for an orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut data = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        data.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        data
    }

    #[test]
    fn pictures_say_in_many_ways_how_they_are_turned() {
        let name = b"Raw profile type exif\0";
        let digits: String = [b"Exif\0\0".to_vec(), exif(6)].concat().iter().map(|byte| format!("{byte:02x}")).collect();
        let profile = format!("\nexif\n      {}\n{}\n{}\n", digits.len() / 2, &digits[..20], &digits[20..]).into_bytes();
        let packed = |text: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(text, 6);
        let xmp = b"<rdf:Description tiff:Orientation=\"8\"/>";
        let (head, pixels, end) = (chunk(b"IHDR", &[0; 13]), chunk(b"IDAT", b"x"), chunk(b"IEND", b""));
        let with = |extra: Vec<u8>| file(&[head.clone(), extra, pixels.clone(), end.clone()]);
        let behind = |extra: Vec<u8>| file(&[head.clone(), pixels.clone(), extra, end.clone()]);
        let text = chunk(b"tEXt", &[name.as_slice(), &profile].concat());
        let cases = [
            (with(text.clone()), Orientation::Rotate90),
            (behind(text.clone()), Orientation::Rotate90),
            (with(chunk(b"zTXt", &[name.as_slice(), b"\0", &packed(&profile)].concat())), Orientation::Rotate90),
            (with(chunk(b"iTXt", &[name.as_slice(), b"\0\0\0\0", &profile].concat())), Orientation::Rotate90),
            (with(chunk(b"iTXt", &[name.as_slice(), b"\x01\0\0\0", &packed(&profile)].concat())), Orientation::Rotate90),
            (with(chunk(b"eXIf", &exif(3))), Orientation::Rotate180),
            (behind(chunk(b"eXIf", &exif(3))), Orientation::Rotate180),
            (with(chunk(b"eXIf", &[b"Exif\0\0".to_vec(), exif(3)].concat())), Orientation::Rotate180),
            // A chunk of its own counts before a text, and either before XMP data.
            (with([text.clone(), chunk(b"eXIf", &exif(3))].concat()), Orientation::Rotate180),
            (with([text, chunk(b"tEXt", &[b"XML:com.adobe.xmp\0".as_slice(), xmp].concat())].concat()), Orientation::Rotate90),
            (behind(chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0".as_slice(), xmp].concat())), Orientation::Rotate270),
            (with(chunk(b"tEXt", &[name.as_slice(), b"\nexif\n 2\nxy"].concat())), Orientation::NoTransforms),
            (with(chunk(b"zTXt", &[name.as_slice(), b"\0broken"].concat())), Orientation::NoTransforms),
            (with(Vec::new()), Orientation::NoTransforms),
            (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXt".to_vec(), Orientation::NoTransforms),
        ];
        for (number, (bytes, expected)) in cases.into_iter().enumerate() {
            assert_eq!(orientation(&bytes), expected, "case {number}");
        }
    }

    #[test]
    fn what_nobody_looks_at_is_mended() {
        let (head, pixels, end) = (chunk(b"IHDR", &[0; 13]), chunk(b"IDAT", b"x"), chunk(b"IEND", b""));
        let whole = file(&[head.clone(), pixels.clone(), end.clone()]);
        assert_eq!(mended(&whole), None);
        assert_eq!(mended(&file(&[head.clone(), pixels.clone()])), Some(whole.clone()));
        let mut wrong = pixels.clone();
        wrong.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
        assert_eq!(mended(&file(&[head.clone(), wrong, end.clone()])), Some(whole));
        // What is cut off stays so, and a header must be right.
        assert_eq!(mended(&file(&[head.clone(), pixels[..pixels.len() - 2].to_vec()])), None);
        let mut wrong = head;
        wrong.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
        assert_eq!(mended(&file(&[wrong, pixels, end])), None);
    }

    #[test]
    fn packed_chunks_are_left_out() {
        let (head, profile, end) = (chunk(b"IHDR", &[0; 13]), chunk(b"iCCP", b"p"), chunk(b"IEND", b""));
        assert_eq!(without_packed(&file(&[head.clone(), profile.clone(), end.clone()])), file(&[head.clone(), end.clone()]));
        assert_eq!(without_packed(&file(&[head.clone(), end.clone(), profile])), file(&[head, end]));
    }
}

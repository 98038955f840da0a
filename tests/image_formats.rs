//! Every kind of picture that Pillow opens, against what it makes of them (scripts/goldens/preprocess_image_formats.py).

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use formers::{ErrorKind, preprocess::image::decode_rgb};
use serde_json::Value;

/// What no decoder without C reads: an error, and not a panic.
const UNREAD: [&str; 6] = ["LAB.tiff", "group3.tiff", "lzma.tiff", "tiff_ccitt.tiff", "tiles_planes.tiff", "zstd.tiff"];

/// Where decoders of the standard may round differently: the largest difference. All others are equal to the byte.
const NEAR: [(&str, i32); 3] = [("YCbCr.jp2", 1), ("jpeg.tiff", 1), ("lossy.jp2", 1)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/formats")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Whether this build reads the file.
fn is_built(name: &str) -> bool {
    cfg!(feature = "avif") || !name.ends_with(".avif")
}

#[test]
fn pixels_are_pillow_s() {
    let cases: Vec<Value> = serde_json::from_slice(&read("cases.json")).unwrap();
    assert!(cases.len() > 140);
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["image"].as_str().unwrap();
        let got = decode_rgb(&read(name), name);
        if UNREAD.contains(&name) || !is_built(name) {
            let error = got.expect_err(name);
            assert!(error.kind() == ErrorKind::Media && error.to_string().starts_with(name), "{error}");
            continue;
        }
        let expected = decode_rgb(&STANDARD.decode(case["pixels"].as_str().unwrap()).unwrap(), "expected").unwrap();
        let got = match got {
            Ok(image) if image.dimensions() == expected.dimensions() => image,
            Ok(image) => {
                failures.push(format!("{name}: {:?}, expected {:?}", image.dimensions(), expected.dimensions()));
                continue;
            }
            Err(error) => {
                failures.push(error.to_string());
                continue;
            }
        };
        let differences = got.as_raw().iter().zip(expected.as_raw()).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
        let largest = differences.max().unwrap();
        let allowed = NEAR.iter().find(|(near, _)| *near == name).map_or(0, |(_, allowed)| *allowed);
        if largest > allowed {
            failures.push(format!("{name}: off by {largest}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn other_files_are_named() {
    let cases: [(&[u8], &str); 7] = [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isom", "MP4"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"DDS |\0\0\0", "DDS"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"<svg xmlns=''/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
    ];
    for (bytes, kind) in cases {
        let error = decode_rgb(bytes, "a.png").unwrap_err();
        assert!(error.to_string().contains(kind) && error.to_string().contains("convert"), "{error}");
    }
}

/// A chunk of a PNG file.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    // The decoder checks sums only where they matter; these are looked at by nobody.
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat()
}

#[test]
fn packed_colour_profiles_are_not_unpacked() {
    let png = read("moving.png");
    // A profile that is no deflated data at all: it would be an error if it were looked at.
    let bomb = chunk(b"iCCP", b"a\0\0this unpacks to nothing");
    let with_bomb = [&png[..33], &bomb[..], &png[33..]].concat();
    assert_eq!(decode_rgb(&with_bomb, "bomb").unwrap(), decode_rgb(&png, "png").unwrap());
}

#[test]
fn damaged_pictures_are_errors() {
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let names: BTreeSet<String> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for name in names.iter().filter(|name| !name.ends_with(".json") && is_built(name)) {
        let whole = read(name);
        // Pictures of AV1 take a hundred times as long as others.
        let count = if name.ends_with(".avif") { 4 } else { 30 };
        for _ in 0..count {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                // Mostly headers, where lengths and sizes are.
                let limit = if random(2) == 0 { bytes.len() } else { bytes.len().min(300) };
                bytes[random(limit)] = [0, 255, random(256) as u8, 1 << random(8)][random(4)];
            }
            bytes.truncate(bytes.len() - random(3) / 2 * random(bytes.len()));
            if let Err(error) = decode_rgb(&bytes, name) {
                assert_eq!(error.kind(), ErrorKind::Media, "{error}");
                assert!(!error.to_string().contains("broke off"), "a decoder panicked: {error}");
            }
        }
    }
}

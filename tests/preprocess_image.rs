//! Image processors against the reference (scripts/goldens/preprocess_image.py).

use std::path::Path;

use formers::preprocess::image::{ImageProcessor, decode_rgb};
use serde_json::Value;

/// How far a value may be off, as a part of the largest: pixels are the reference's to the byte, and so is what comes of them.
const TOLERANCE: f64 = 1e-6;

#[test]
fn pixel_values_are_the_reference_s() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/image");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    assert!(cases.len() > 100);
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["image"].as_str().unwrap();
        let image = decode_rgb(&std::fs::read(folder.join(name)).unwrap(), name).unwrap();
        let processor = ImageProcessor::from_configs(Some(&case["config"]), None, "vit").unwrap();
        let values = processor.preprocess(&[image]).unwrap().pixel_values;
        let at = format!("{name} {}", case["config"]);
        if serde_json::json!(values.shape()) != case["shape"] {
            failures.push(format!("{at}: shape {:?}, expected {}", values.shape(), case["shape"]));
            continue;
        }
        let largest = values.iter().fold(1f64, |m, v| m.max(f64::from(v.abs())));
        let allowed = TOLERANCE * largest;
        let step = case["step"].as_u64().unwrap() as usize;
        let expected: Vec<f64> = case["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let difference = values.iter().step_by(step).zip(&expected).fold(0f64, |m, (a, b)| m.max((f64::from(*a) - b).abs()));
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let weighted: f64 = values.iter().enumerate().map(|(i, v)| f64::from(*v) * (i % 1009) as f64).sum();
        let sums = (sum - case["sum"].as_f64().unwrap()).abs() / values.len() as f64;
        let weighted = (weighted - case["weighted"].as_f64().unwrap()).abs() / values.len() as f64 / 1009.0;
        if difference > allowed || sums > allowed || weighted > allowed {
            failures.push(format!("{at}: off by {difference:.2e} in samples, {sums:.2e} in the mean, {weighted:.2e} weighted"));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn bad_images_are_clear_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/image");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (png, jpeg) = (read("rgb.png"), read("420.jpg"));
    // A header that promises 60000 x 60000 pixels.
    let mut huge_png = png.clone();
    huge_png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let mut huge_jpeg = jpeg.clone();
    huge_jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let cases: [(&str, &[u8]); 9] = [
        ("empty.png", &[]),
        ("text.png", b"This is not an image, whatever its name says."),
        ("header.png", &png[..20]),
        ("half.png", &png[..png.len() / 2]),
        ("huge.png", &huge_png),
        ("header.jpg", &jpeg[..30]),
        ("half.jpg", &jpeg[..jpeg.len() / 2]),
        ("huge.jpg", &huge_jpeg),
        ("sound.wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ];
    for (name, bytes) in cases {
        let error = decode_rgb(bytes, name).expect_err(name);
        assert_eq!(error.kind(), formers::ErrorKind::Media, "{error}");
        assert!(error.to_string().starts_with(name), "{error}");
    }
    // What follows the last row does not matter.
    assert!(decode_rgb(&jpeg[..jpeg.len() - 2], "no_end.jpg").is_ok());
}

#[test]
fn damaged_images_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/image");
    let mut seed = 1u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for name in [
        "420.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "restart.jpg",
        "turned6.jpg",
        "palette.png",
        "lossy.webp",
        "rgb.gif",
        "rgb.tiff",
        "rgb.bmp",
    ] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                // Mostly headers, where lengths and sizes are.
                let limit = if random(2) == 0 { bytes.len() } else { bytes.len().min(300) };
                bytes[random(limit)] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(3) * random(bytes.len() / 2));
            let _ = decode_rgb(&bytes, name);
        }
    }
}

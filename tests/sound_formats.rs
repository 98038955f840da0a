//! Every coding and container of sounds against what the reference makes of them (scripts/goldens/preprocess_audio_formats.py).

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use formers::{
    ErrorKind,
    preprocess::audio::{MIN_RATE, decode_mono, read_file},
};
use serde_json::Value;

/// How far the worst sample may be off, by the beginning of the file's name. Decoders of Opus need not agree to the bit: the reference's
/// computes speech in floating point and the standard in whole numbers, and several channels share what is filled in for missing bands.
/// At the joint of two streams it goes on with what it keeps of the first one, where the standard says to begin anew.
const TOLERANCES: [(&str, f64); 5] =
    [("opus_speech", 1.5e-2), ("opus_music_six", 1.5e-2), ("opus_music_stereo", 3e-4), ("opus_music_chained", 7e-2), ("opus_music", 1e-5)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/sounds")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

#[test]
fn sounds_are_read_as_by_ffmpeg() {
    let cases: Vec<Value> = serde_json::from_slice(&read("cases.json")).unwrap();
    assert!(cases.len() > 25);
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["file"].as_str().unwrap();
        let samples = match read_file(read(name), name, 16000) {
            Ok(samples) => samples,
            Err(error) => {
                failures.push(error.to_string());
                continue;
            }
        };
        if Some(samples.len() as u64) != case["length"].as_u64() {
            failures.push(format!("{name}: {} samples, expected {}", samples.len(), case["length"]));
            continue;
        }
        let allowed = TOLERANCES.iter().find(|(start, _)| name.starts_with(start)).map_or(1e-6, |(_, allowed)| *allowed);
        let step = case["step"].as_u64().unwrap() as usize;
        let mut worst = 0f64;
        for (sample, expected) in samples.iter().step_by(step).zip(case["values"].as_array().unwrap()) {
            match expected.as_f64() {
                Some(expected) => worst = worst.max((f64::from(*sample) - expected).abs()),
                None => assert!(sample.is_nan(), "{name}"),
            }
        }
        let voiced = || samples.iter().map(|x| f64::from(*x)).enumerate().filter(|(_, x)| !x.is_nan());
        let sum: f64 = voiced().map(|(_, x)| x).sum();
        let weighted: f64 = voiced().map(|(i, x)| x * (i % 1009) as f64).sum();
        let count = samples.len() as f64;
        let mean = (sum - case["sum"].as_f64().unwrap()).abs() / count;
        let weighted = (weighted - case["weighted"].as_f64().unwrap()).abs() / count / 1009.0;
        if worst.max(mean).max(weighted).max(f64::from(worst.is_nan())) > allowed {
            failures.push(format!("{name}: off by {worst:.2e} in samples, {mean:.2e} in the mean, {weighted:.2e} weighted"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn rates_without_sense_are_errors() {
    let whole = read("silence.wav");
    for (rate, reads) in [(0, false), (1, false), (MIN_RATE - 1, false), (MIN_RATE, true), (4_000_000_000, false)] {
        let mut bytes = whole.clone();
        bytes[24..28].copy_from_slice(&rate.to_le_bytes());
        match read_file(bytes, "rate.wav", 16000) {
            Ok(_) => assert!(reads, "{rate}"),
            Err(error) => assert!(!reads && error.kind() == ErrorKind::Media, "{rate}: {error}"),
        }
    }
}

/// A chunk of a WAVE file.
fn chunk(kind: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [kind.as_slice(), &size.to_le_bytes(), body].concat()
}

/// A WAVE file of 16000 samples a second in one channel.
fn wave(coding: u16, bits: u16, size: u32, data: &[u8]) -> Vec<u8> {
    let width = bits.div_ceil(8);
    let mut format = [coding, 1].map(u16::to_le_bytes).concat();
    format.extend([16_000, 16_000 * u32::from(width)].map(u32::to_le_bytes).concat());
    format.extend([width, bits].map(u16::to_le_bytes).concat());
    let body = [b"WAVE".to_vec(), chunk(b"fmt ", 16, &format), chunk(b"data", size, data)].concat();
    chunk(b"RIFF", u32::try_from(body.len()).unwrap(), &body)
}

#[test]
fn headers_that_programs_did_not_finish() {
    let samples: Vec<i16> = (0..800).map(|i| ((f64::from(i) * 0.1).sin() * 9000.0) as i16).collect();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(data.len()).unwrap();
    let expected = decode_mono(wave(1, 16, length, &data), "whole.wav").unwrap();
    assert_eq!(expected.samples.len(), samples.len());
    let zeroed = |mut file: Vec<u8>| {
        file[4..8].fill(0);
        file
    };
    let mut cut = wave(1, 16, length + 1000, &data);
    cut.truncate(cut.len() - 1);
    let cases = [
        ("no size yet", zeroed(wave(1, 16, 0, &data))),
        ("no size of the samples", wave(1, 16, 0, &data)),
        ("more samples than there are", wave(1, 16, length + 1000, &data)),
        ("as much as there may be", zeroed(wave(1, 16, u32::MAX, &data))),
        ("twelve bits in sixteen", wave(1, 12, length, &data)),
    ];
    for (what, file) in cases {
        assert_eq!(decode_mono(file, what).unwrap(), expected, "{what}");
    }
    assert_eq!(decode_mono(cut, "cut.wav").unwrap().samples, expected.samples[..samples.len() - 1]);
    assert!(decode_mono(wave(1, 16, 0, &[]), "empty.wav").is_err());
}

#[test]
fn pages_that_do_not_say_when_they_end() {
    for name in ["vorbis_pages.ogg", "vorbis_stereo.ogg"] {
        let whole = read(name);
        let expected = decode_mono(whole.clone(), name).unwrap();
        let (mut start, mut tried) = (0, 0);
        while start < whole.len() {
            let segments = usize::from(whole[start + 26]);
            let length: usize = whole[start + 27..start + 27 + segments].iter().map(|size| usize::from(*size)).sum();
            let is_sound = whole[start + 6..start + 14] != [0; 8];
            let is_last = whole[start + 5] & 4 != 0;
            if is_sound && !is_last {
                let mut bytes = whole.clone();
                bytes[start + 6..start + 14].fill(0xff);
                mend_checksums(&mut bytes);
                assert_eq!(decode_mono(bytes, name).unwrap(), expected, "{name}: the page at {start}");
                tried += 1;
            }
            start += 27 + segments + length;
        }
        assert!(tried > 1, "{name}");
    }
}

#[test]
fn damaged_sounds_are_errors() {
    let mut seed = 11u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let mut names: Vec<String> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter(|name| !name.ends_with(".json")) {
        let whole = read(name);
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                // Mostly headers, where lengths and rates are.
                let limit = if random(2) == 0 { bytes.len() } else { bytes.len().min(200) };
                bytes[random(limit)] = [0, 255, random(256) as u8, 1 << random(8)][random(4)];
            }
            if name.ends_with(".ogg") {
                mend_checksums(&mut bytes);
            }
            bytes.truncate(bytes.len() - random(3) / 2 * random(bytes.len()));
            if let Err(error) = decode_mono(bytes, name) {
                assert!(!error.to_string().contains("broke off"), "a decoder panicked: {error}");
            }
        }
    }
}

/// Without these, damaged pages would be left out before they are decoded.
fn mend_checksums(bytes: &mut [u8]) {
    let mut start = 0;
    while bytes.get(start..start + 4) == Some(b"OggS") && bytes.len() > start + 27 {
        let segments = usize::from(bytes[start + 26]);
        let Some(sizes) = bytes.get(start + 27..start + 27 + segments) else { break };
        let end = start + 27 + segments + sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
        let Some(page) = bytes.get_mut(start..end) else { break };
        page[22..26].fill(0);
        let mut total = 0u32;
        for byte in page.iter() {
            total ^= u32::from(*byte) << 24;
            for _ in 0..8 {
                total = if total >> 31 == 1 { total << 1 ^ 0x04c1_1db7 } else { total << 1 };
            }
        }
        page[22..26].copy_from_slice(&total.to_le_bytes());
        start = end;
    }
}

//! Decoding, resampling and feature extractors against the reference (scripts/goldens/preprocess_audio.py).

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use formers::preprocess::audio::{FeatureExtractor, decode_mono, read_file, resample_array};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preprocess/audio")
}

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_slice(&std::fs::read(folder().join("cases.json")).unwrap()).unwrap();
    all[kind].as_array().unwrap().clone()
}

/// How the samples differ from a case, if they do.
fn compare(samples: &[f32], case: &Value, allowed: f64) -> Option<String> {
    if case["length"].as_u64().unwrap() as usize != samples.len() {
        return Some(format!("{} samples, expected {}", samples.len(), case["length"]));
    }
    let step = case["step"].as_u64().unwrap() as usize;
    let expected: Vec<f64> = case["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let worst = samples.iter().step_by(step).zip(&expected).fold(0f64, |m, (a, b)| m.max((f64::from(*a) - b).abs()));
    let sum: f64 = samples.iter().map(|v| f64::from(*v)).sum();
    let weighted: f64 = samples.iter().enumerate().map(|(i, v)| f64::from(*v) * (i % 1009) as f64).sum();
    let count = samples.len() as f64;
    let mean = (sum - case["sum"].as_f64().unwrap()).abs() / count;
    let weighted = (weighted - case["weighted"].as_f64().unwrap()).abs() / count / 1009.0;
    let off = worst.max(mean).max(weighted);
    (off > allowed || off.is_nan()).then(|| format!("off by {worst:.2e} in samples, {mean:.2e} in the mean, {weighted:.2e} weighted"))
}

fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn files_are_read_as_by_ffmpeg() {
    let mut failures = Vec::new();
    for case in cases("files") {
        let name = case["file"].as_str().unwrap();
        let rate = case["sampling_rate"].as_u64().unwrap() as u32;
        let difference = match read_file(std::fs::read(folder().join(name)).unwrap(), name, rate) {
            Ok(samples) if case["error"] == true => Some(format!("{} samples, expected an error", samples.len())),
            Err(e) if case["error"] == true && e.kind() == formers::ErrorKind::Media => None,
            Ok(samples) => compare(&samples, &case, 2e-6),
            Err(e) => Some(e.to_string()),
        };
        failures.extend(difference.map(|d| format!("{name} at {rate}: {d}")));
    }
    report(failures);
}

#[test]
fn arrays_are_resampled_as_by_torchaudio() {
    let name = "rate44100.wav";
    let source = decode_mono(std::fs::read(folder().join(name)).unwrap(), name).unwrap().samples;
    let mut failures = Vec::new();
    for case in cases("arrays") {
        let number = |key: &str| case[key].as_u64().unwrap() as u32;
        let samples = resample_array(&source[..number("length_in") as usize], number("from"), number("to")).unwrap();
        let at = format!("{} samples from {} to {}", number("length_in"), number("from"), number("to"));
        failures.extend(compare(&samples, &case, 2e-6).map(|d| format!("{at}: {d}")));
    }
    report(failures);
}

#[test]
fn feature_extractors_pad_and_normalize() {
    let name = "rate44100.wav";
    let source = decode_mono(std::fs::read(folder().join(name)).unwrap(), name).unwrap().samples;
    let mut failures = Vec::new();
    for case in cases("extractors") {
        let extractor = FeatureExtractor::from_configs(Some(&case["config"]), None, "wav2vec2").unwrap();
        let batch: Vec<&[f32]> = case["lengths"].as_array().unwrap().iter().map(|n| &source[..n.as_u64().unwrap() as usize]).collect();
        let features = extractor.extract(&batch).unwrap();
        assert_eq!(features.name, "input_values");
        failures.extend(compare(features.values.as_slice().unwrap(), &case, 2e-6).map(|d| format!("{}: {d}", case["config"])));
        let marked = features.attention_mask.map(|mask| mask.outer_iter().map(|row| row.sum()).collect::<Vec<i64>>());
        assert_eq!(serde_json::json!(marked), case.get("attention_mask").cloned().unwrap_or(Value::Null));
    }
    report(failures);
}

#[test]
fn bad_sounds_are_clear_errors() {
    let whole = std::fs::read(folder().join("pcm16.wav")).unwrap();
    let mut silent_rate = whole.clone();
    silent_rate[24..28].copy_from_slice(&0u32.to_le_bytes());
    let mut absurd_rate = whole.clone();
    absurd_rate[24..28].copy_from_slice(&4_000_000_007u32.to_le_bytes());
    let cases: [(&str, &[u8]); 6] = [
        ("empty.wav", &[]),
        ("header.wav", &whole[..20]),
        ("silent_rate.wav", &silent_rate),
        ("absurd_rate.wav", &absurd_rate),
        ("text.wav", b"This is not a sound, whatever its name says."),
        ("zeros.mp3", &[0; 5000]),
    ];
    for (name, bytes) in cases {
        let error = read_file(bytes.to_vec(), name, 16000).unwrap_err();
        assert_eq!(error.kind(), formers::ErrorKind::Media, "{error}");
        assert!(error.to_string().starts_with(name), "{error}");
    }
    let silence = FeatureExtractor::from_configs(Some(&serde_json::json!({})), None, "wav2vec2").unwrap().extract(&[&[0.0; 400]]).unwrap();
    assert!(silence.values.iter().all(|v| *v == 0.0));
}

#[test]
fn damaged_sounds_never_panic() {
    let mut seed = 1u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for name in ["pcm16.wav", "adpcm_ms.wav", "adpcm_ima.wav", "stereo.flac", "pcm.aiff", "vorbis.ogg", "tone.mp3", "aac.m4a", "vorbis.mkv"]
    {
        let whole = std::fs::read(folder().join(name)).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                // Mostly headers, where lengths and rates are.
                let limit = if random(2) == 0 { bytes.len() } else { bytes.len().min(200) };
                bytes[random(limit)] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(3) * random(bytes.len() / 2));
            let _ = read_file(bytes, name, 16000);
        }
    }
}

//! Decoders whose weights are stored in fewer bits: what the reference writes with weights that are rounded in the same way
//! (scripts/goldens/dtypes.py).

#![allow(clippy::unwrap_used)]

use std::path::Path;

use formers::Options;
use formers::model::{ModelDtype, Pretrained, Source};
use serde_json::Value;

fn goldens() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/generate"))
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

/// How far logits are from those of the golden, in parts of the largest.
fn distance(found: &[f32], expected: &Value) -> f64 {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |most: f64, logit| most.max(logit.abs()));
    found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest
}

/// What a decoder writes, and how far its last logits are from those of the golden, or from those of the golden without rounded inputs.
fn written(options: Options, row: &Value) -> (Vec<u32>, f64) {
    let pretrained = Pretrained::open(options).unwrap();
    let model = pretrained.model(pretrained.head()).unwrap();
    let mut decoder = formers::generate::open(&model, pretrained.config.value()).unwrap();
    let (prompt, tokens) = (ids(&row["prompt"]), ids(&row["tokens"]));
    let mut logits = decoder.forward(&[&prompt]).unwrap();
    let mut written = Vec::new();
    for place in 0..tokens.len() {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        written.push(u32::try_from(best).unwrap());
        if place + 1 < tokens.len() {
            logits = decoder.forward(&[&tokens[place..=place]]).unwrap();
        }
    }
    let distances = row["logits"].as_array().unwrap().iter().map(|expected| distance(&logits, expected));
    (written, distances.fold(f64::MAX, f64::min))
}

#[test]
fn decoders_in_fewer_bits_write_what_their_rounded_weights_say() {
    let rows: Value = serde_json::from_slice(&std::fs::read(goldens().join("dtypes.json")).unwrap()).unwrap();
    let converted = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for row in rows.as_array().unwrap() {
        let (name, dtype) = (row["model"].as_str().unwrap(), row["dtype"].as_str().unwrap().parse::<ModelDtype>().unwrap());
        let folder = formers_testing::golden(&format!("generate/models/{name}"));
        let of = |folder: &Path| Options { dtype, converted: Some(converted.path().into()), ..Options::new(folder.to_string_lossy()) };
        let export = tempfile::tempdir().unwrap();
        let pretrained = Pretrained::open(of(&folder)).unwrap();
        pretrained.export(pretrained.head(), export.path()).unwrap();
        for (place, options) in [("kept", of(&folder)), ("exported", Options { source: Source::Onnx, ..of(export.path()) })] {
            let (found, distance) = written(options, row);
            if found != ids(&row["tokens"]) || distance > row["tolerance"].as_f64().unwrap() {
                wrong.push(format!("{name} {dtype}, {place}: {found:?}, not {}; logits differ by {distance:.2e}", row["tokens"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.as_array().unwrap().len() >= 40);
}

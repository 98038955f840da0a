//! Ready-made ONNX files that are damaged, or want what nobody has.

use std::fs;

use formers::{
    ErrorKind::{self, *},
    Options,
    model::{ModelDtype, Pretrained, Source},
};

use super::{copy, golden, judge, report, watched};

/// A checkpoint with an ONNX file beside its weights, in `onnx/`.
fn exported() -> tempfile::TempDir {
    let folder = copy("bert/sequence_classification");
    let pretrained = Pretrained::open(Options::new(folder.path().to_str().unwrap())).unwrap();
    pretrained.export(pretrained.head(), folder.path()).unwrap();
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    folder
}

#[test]
fn damaged_files() {
    type Spoil = fn(&std::path::Path);
    let cases: &[(&str, Spoil, ErrorKind, &[&str])] = &[
        ("empty", |f| fs::write(f.join("onnx/model.onnx"), "").unwrap(), Checkpoint, &["onnx/model.onnx"]),
        ("no model", |f| fs::write(f.join("onnx/model.onnx"), [0xff; 999]).unwrap(), Checkpoint, &["onnx/model.onnx"]),
        (
            "half a model",
            |f| {
                let file = f.join("onnx/model.onnx");
                let bytes = fs::read(&file).unwrap();
                fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
            },
            Checkpoint,
            &["onnx/model.onnx"],
        ),
        ("no weights", |f| fs::remove_file(f.join("onnx/model.onnx_data")).unwrap(), Checkpoint, &["onnx/model.onnx", "model.onnx_data"]),
        (
            "half of the weights",
            |f| {
                let file = fs::File::options().write(true).open(f.join("onnx/model.onnx_data")).unwrap();
                file.set_len(file.metadata().unwrap().len() / 2).unwrap();
            },
            Checkpoint,
            &["onnx/model.onnx"],
        ),
        (
            "an operator that ONNX Runtime does not survive",
            |f| {
                // Messages that come twice are one: this is one more operator of the graph.
                let max = b"\x3a\x0f\x0a\x0d\x0a\x01a\x0a\x00\x12\x01b\x22\x03Max";
                let file = f.join("onnx/model.onnx");
                let bytes = fs::read(&file).unwrap();
                fs::write(file, [&bytes[..], max].concat()).unwrap();
            },
            Checkpoint,
            &["onnx/model.onnx", "Max", "input 1"],
        ),
        (
            "inputs that nobody fills",
            |f| {
                fs::copy(golden("session/plain.onnx"), f.join("onnx/model.onnx")).unwrap();
            },
            Unsupported,
            &["input"],
        ),
    ];
    let mut failures = Vec::new();
    for (what, spoil, kind, says) in cases {
        let folder = exported();
        spoil(folder.path());
        let options = Options { source: Source::Onnx, ..Options::new(folder.path().to_str().unwrap()) };
        if let Err(problem) = judge(watched(move || formers::pipeline("text-classification", options)), *kind, says) {
            failures.push(format!("{what}: {problem}"));
        }
    }
    let folder = exported();
    let options = Options { dtype: ModelDtype::Q4, ..Options::new(folder.path().to_str().unwrap()) };
    let outcome = watched(move || formers::pipeline("text-classification", options));
    if let Err(problem) = judge(outcome, Unsupported, &["model_q4.onnx", "fp32"]) {
        failures.push(problem);
    }
    report(failures);
}

//! What conversions write: the same answers from files as from the checkpoint, in every type, the same bytes every time.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use formers::{
    ErrorKind, Options,
    model::{Blocks, ModelDtype, Pretrained, Source},
    pipelines::{FeatureExtraction, Pipeline, feature_extraction},
};
use serde_json::{Value, json};

const TEXT: &str = "The film was wonderful and the actors were great.";

fn golden(name: &str) -> PathBuf {
    formers_testing::golden(name)
}

fn options(folder: &Path, dtype: ModelDtype, source: Source) -> Options {
    Options { dtype, source, ..Options::new(folder.to_string_lossy()) }
}

fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden(name)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        fs::copy(&entry, folder.path().join(entry.file_name().unwrap())).unwrap();
    }
    folder
}

fn classify(options: Options) -> Value {
    formers::pipeline("text-classification", options).unwrap().call(&json!(TEXT), &json!({"top_k": null})).unwrap()
}

fn score(answer: &Value, label: &Value) -> f64 {
    answer.as_array().unwrap().iter().find(|l| l["label"] == *label).unwrap()["score"].as_f64().unwrap()
}

#[test]
fn a_graph_in_the_checkpoints_folder_holds_no_weight() {
    for name in ["bert/sequence_classification", "bert/sequence_classification_b"] {
        let folder = copy(name);
        let pretrained = Pretrained::open(options(folder.path(), ModelDtype::Auto, Source::Auto)).unwrap();
        let exported = pretrained.export_in_place(pretrained.head()).unwrap();
        let weights = fs::metadata(folder.path().join("model.safetensors")).unwrap().len();
        assert!(exported.bytes < weights, "{} bytes for {weights} bytes of weights", exported.bytes);
        let fresh = classify(options(folder.path(), ModelDtype::Auto, Source::Safetensors));
        assert_eq!(classify(options(folder.path(), ModelDtype::Auto, Source::Onnx)), fresh);
    }
}

#[test]
fn an_exported_folder_answers_as_the_checkpoint_does() {
    let checkpoint = golden("bert/sequence_classification");
    let out = tempfile::tempdir().unwrap();
    let fresh = classify(options(&checkpoint, ModelDtype::Fp32, Source::Safetensors));
    for (dtype, file, tolerance) in [
        (ModelDtype::Fp32, "model.onnx", 1e-6),
        (ModelDtype::Fp16, "model_fp16.onnx", 2e-3),
        (ModelDtype::Int8, "model_int8.onnx", 5e-2),
        (ModelDtype::Q4, "model_q4.onnx", 1e-1),
    ] {
        let pretrained = Pretrained::open(options(&checkpoint, dtype, Source::Auto)).unwrap();
        pretrained.export(pretrained.head(), out.path()).unwrap();
        assert!(out.path().join("onnx").join(file).is_file());
        let answer = classify(options(out.path(), dtype, Source::Onnx));
        for label in fresh.as_array().unwrap() {
            let (a, b) = (label["score"].as_f64().unwrap(), score(&answer, &label["label"]));
            assert!((a - b).abs() < tolerance, "{dtype}: {a} and {b} for {}", label["label"]);
        }
    }
    // The checkpoint has a vocabulary and no tokenizer.json, which transformers.js needs; it is all that this needs, too.
    fs::remove_file(out.path().join("vocab.txt")).unwrap();
    assert_eq!(classify(options(out.path(), ModelDtype::Fp32, Source::Onnx)), fresh);
    let config: Value = serde_json::from_slice(&fs::read(out.path().join("config.json")).unwrap()).unwrap();
    let external = &config["transformers.js_config"]["use_external_data_format"];
    assert_eq!(*external, json!({"model.onnx": 1, "model_fp16.onnx": 1, "model_int8.onnx": 1, "model_q4.onnx": 1}));
    let sizes = ["model.onnx_data", "model_fp16.onnx_data", "model_int8.onnx_data", "model_q4.onnx_data"]
        .map(|f| fs::metadata(out.path().join("onnx").join(f)).unwrap().len());
    assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
}

#[test]
fn blocks_are_as_they_are_asked_for() {
    let checkpoint = golden("bert/sequence_classification");
    let fresh = classify(options(&checkpoint, ModelDtype::Fp32, Source::Safetensors));
    for (dtype, most) in [(ModelDtype::Q4, 1e-1), (ModelDtype::Q8, 1e-2), (ModelDtype::Int8, 1e-2)] {
        for (size, asymmetric) in [(Some(16), true), (Some(16), false), (Some(32), false), (None, true)] {
            let (out, blocks) = (tempfile::tempdir().unwrap(), Some(Blocks { size, asymmetric }));
            let pretrained = Pretrained::open(Options { blocks, ..options(&checkpoint, dtype, Source::Auto) }).unwrap();
            pretrained.export(pretrained.head(), out.path()).unwrap();
            let graph = fs::read(out.path().join(format!("onnx/model{}.onnx", dtype.suffix()))).unwrap();
            let holds = |text: &[u8]| graph.windows(text.len()).any(|window| window == text);
            let attribute = |name: &str, value: usize| holds(&[name.as_bytes(), &[0x18, value as u8]].concat());
            assert!(attribute("bits", if dtype == ModelDtype::Q4 { 4 } else { 8 }), "{dtype} {blocks:?}");
            assert!(attribute("block_size", size.unwrap_or(32)) && holds(b"zero_points") == asymmetric, "{dtype} {blocks:?}");
            let answer = classify(options(out.path(), dtype, Source::Onnx));
            for label in fresh.as_array().unwrap() {
                let (a, b) = (label["score"].as_f64().unwrap(), score(&answer, &label["label"]));
                assert!((a - b).abs() < most, "{dtype} {blocks:?}: {a} and {b} for {}", label["label"]);
            }
        }
    }
    let refused = |dtype, size| {
        let options = Options { blocks: Some(Blocks { size, asymmetric: true }), ..options(&checkpoint, dtype, Source::Auto) };
        let pretrained = Pretrained::open(options).unwrap();
        pretrained.export(pretrained.head(), tempfile::tempdir().unwrap().path()).unwrap_err().to_string()
    };
    assert!(refused(ModelDtype::Fp16, None).contains("only those in q4 and int8 (or q8)"));
    assert!(refused(ModelDtype::Q4, Some(24)).contains("blocks of 24 weights"));
}

#[test]
fn of_ready_made_files_the_one_that_is_asked_for_is_taken() {
    let checkpoint = golden("bert/sequence_classification");
    let out = tempfile::tempdir().unwrap();
    let pretrained = Pretrained::open(options(&checkpoint, ModelDtype::Fp16, Source::Auto)).unwrap();
    pretrained.export(pretrained.head(), out.path()).unwrap();
    // Neither weights nor a model in fp32: `auto` takes what is there.
    classify(options(out.path(), ModelDtype::Auto, Source::Auto));
    let error = formers::pipeline("text-classification", options(out.path(), ModelDtype::Q4, Source::Auto)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("model_q4.onnx") && error.to_string().contains("fp16 (onnx/model_fp16.onnx)"), "{error}");
    // The architecture need not be known.
    let config = out.path().join("config.json");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("\"bert\"", "\"bert_of_tomorrow\"")).unwrap();
    classify(options(out.path(), ModelDtype::Fp16, Source::Auto));
}

#[test]
fn weights_give_way_to_a_ready_made_file_of_a_type_that_they_cannot_be_converted_to() {
    let folder = copy("bert/sequence_classification");
    let pretrained = Pretrained::open(options(folder.path(), ModelDtype::Fp32, Source::Auto)).unwrap();
    pretrained.export_in_place(pretrained.head()).unwrap();
    fs::rename(folder.path().join("model.onnx"), folder.path().join("model_bnb4.onnx")).unwrap();
    let source = |dtype| Pretrained::open(options(folder.path(), dtype, Source::Auto)).unwrap().source().unwrap();
    assert_eq!([source(ModelDtype::Bnb4), source(ModelDtype::Q4)], [Source::Onnx, Source::Safetensors]);
    let error = formers::pipeline("text-classification", options(folder.path(), ModelDtype::Q4f16, Source::Auto)).err().unwrap();
    assert!(error.to_string().contains("not to q4f16"), "{error}");
}

#[test]
fn a_classifiers_file_gives_no_hidden_states() {
    let folder = copy("bert/sequence_classification");
    let pretrained = Pretrained::open(options(folder.path(), ModelDtype::Fp32, Source::Auto)).unwrap();
    pretrained.export_in_place(pretrained.head()).unwrap();
    let error = formers::pipeline("feature-extraction", options(folder.path(), ModelDtype::Auto, Source::Onnx)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("no hidden states, only logits"), "{error}");
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (out, dtype) in [
        (&a, ModelDtype::Int8),
        (&b, ModelDtype::Int8),
        (&a, ModelDtype::Q4),
        (&b, ModelDtype::Q4),
        (&a, ModelDtype::Fp32),
        (&b, ModelDtype::Fp32),
    ] {
        let pretrained = Pretrained::open(options(&golden("bert/masked_lm"), dtype, Source::Auto)).unwrap();
        pretrained.export(pretrained.head(), out.path()).unwrap();
    }
    for file in ["model.onnx", "model.onnx_data", "model_int8.onnx", "model_int8.onnx_data", "model_q4.onnx", "model_q4.onnx_data"] {
        assert!(fs::read(a.path().join("onnx").join(file)).unwrap() == fs::read(b.path().join("onnx").join(file)).unwrap(), "{file}");
    }
}

#[test]
fn a_quantized_model_is_made_once_and_an_old_one_is_not_used() {
    let folder = copy("bert/plain");
    let cache = tempfile::tempdir().unwrap();
    let embed = || {
        let options = Options { converted: Some(cache.path().into()), dtype: ModelDtype::Int8, ..Options::default() };
        let model = FeatureExtraction::builder(&folder.path().to_string_lossy()).options(options).build().unwrap();
        model.embed_many(&[TEXT], &feature_extraction::Options::new(feature_extraction::Pooling::Mean)).swap_remove(0).unwrap()
    };
    let exact = FeatureExtraction::from_pretrained(&folder.path().to_string_lossy()).unwrap();
    let exact = exact.embed_many(&[TEXT], &feature_extraction::Options::new(feature_extraction::Pooling::Mean)).swap_remove(0).unwrap();
    let (first, again) = (embed(), embed());
    assert_eq!(first, again);
    assert_ne!(first, exact);
    let cosine = first.dot(&exact) / (first.dot(&first) * exact.dot(&exact)).sqrt();
    assert!(cosine > 0.99, "{cosine}");
    // Other weights under the same name.
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4000].fill(0x3e);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    assert_ne!(embed(), first);
    let entries: Vec<_> = fs::read_dir(cache.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(entries.len() == 2 && entries.iter().all(|e| !e.to_string_lossy().starts_with('.')), "{entries:?}");
}

/// The layout of the Hub's cache: snapshots are links into `blobs/`.
#[cfg(unix)]
#[test]
fn weights_in_the_hubs_cache_are_mapped_where_they_are() {
    for name in ["bert/sequence_classification", "bert/plain_prefixed"] {
        let cache = tempfile::tempdir().unwrap();
        let repo = cache.path().join("models--owner--name");
        let snapshot = repo.join("snapshots").join("0123456789012345678901234567890123456789");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(repo.join("blobs")).unwrap();
        for (number, entry) in fs::read_dir(golden(name)).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).enumerate() {
            let blob = format!("blob{number}");
            fs::copy(&entry, repo.join("blobs").join(&blob)).unwrap();
            std::os::unix::fs::symlink(Path::new("../../blobs").join(&blob), snapshot.join(entry.file_name().unwrap())).unwrap();
        }
        let task = if name.ends_with("prefixed") { "feature-extraction" } else { "text-classification" };
        let run = |model: &Path| {
            formers::pipeline(task, Options::new(model.to_string_lossy())).unwrap().call(&json!(TEXT), &Value::Null).unwrap()
        };
        assert_eq!(run(&snapshot), run(&golden(name)));
    }
}

/// Weights that were read when the session was opened may change afterwards, whatever they are stored as.
#[test]
fn weights_that_are_not_mapped_may_change() {
    let out = tempfile::tempdir().unwrap();
    let pretrained = Pretrained::open(options(&golden("bert/sequence_classification"), ModelDtype::Fp32, Source::Auto)).unwrap();
    pretrained.export(pretrained.head(), out.path()).unwrap();
    for (dtype, source) in [
        (ModelDtype::Auto, Source::Safetensors),
        (ModelDtype::Fp16, Source::Safetensors),
        (ModelDtype::Int8, Source::Safetensors),
        (ModelDtype::Q4, Source::Safetensors),
        (ModelDtype::Fp32, Source::Onnx),
    ] {
        let (folder, cache) = (copy("bert/sequence_classification"), tempfile::tempdir().unwrap());
        if source == Source::Onnx {
            fs::create_dir(folder.path().join("onnx")).unwrap();
            for file in ["model.onnx", "model.onnx_data"] {
                fs::copy(out.path().join("onnx").join(file), folder.path().join("onnx").join(file)).unwrap();
            }
        }
        let mut options = Options { converted: Some(cache.path().into()), ..options(folder.path(), dtype, source) };
        let mapped = classify(options.clone());
        options.session.mapping = false;
        let pipeline = formers::pipeline("text-classification", options).unwrap();
        let ask = || pipeline.call(&json!(TEXT), &json!({"top_k": null})).unwrap();
        assert_eq!(ask(), mapped, "{dtype} {source:?}");
        let entries = [folder.path().to_owned(), folder.path().join("onnx"), cache.path().to_owned()]
            .into_iter()
            .chain(fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()));
        for file in entries
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
        {
            fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap();
        }
        assert_eq!(ask(), mapped, "{dtype} {source:?}");
    }
}

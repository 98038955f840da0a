//! Ready-made exports of language models (scripts/goldens/ready.py, ready_genai.py): the answers of the checkpoints that they were
//! made of.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/goldens.rs"]
mod goldens;

use std::{fs, path::Path};

use formers::model::{Pretrained, Source};
use formers::{Options, Result};
use goldens::{json, media, same};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens"))
}

/// A folder as it is published: the files of the checkpoint without its weights, and those of the export.
fn published(checkpoint: &Path, export: &Path, place: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            if !file.ends_with("model.safetensors") {
                fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
            }
        }
    };
    copy(checkpoint, folder.path());
    copy(export, &folder.path().join(place));
    // The exports of one checkpoint share their weights.
    let weights = export.with_file_name("weights.onnx_data");
    if weights.exists() {
        fs::copy(weights, folder.path().join(place).join("weights.onnx_data")).unwrap();
    }
    folder
}

fn options(folder: &Path) -> Options {
    Options { source: Source::Onnx, ..Options::new(folder.to_string_lossy()) }
}

/// What of a golden is not answered as Python does.
fn differences(golden: &Path, options: Options) -> Result<Vec<String>> {
    let pipeline = formers::pipeline("text-generation", options)?;
    let mut wrong = Vec::new();
    for case in json(golden)["cases"].as_array().unwrap() {
        let name = format!("{} {}", case["inputs"], case["parameters"]);
        match (pipeline.call(&media(golden, &case["inputs"]), &case["parameters"]), case.get("error")) {
            (Err(_), Some(_)) => {}
            (Ok(_), Some(_)) => wrong.push(format!("{name}: Python fails")),
            (Err(error), None) => wrong.push(format!("{name}: {error}")),
            (Ok(answer), None) => wrong.extend(same(&case["answer"], &answer, "answer").err().map(|e| format!("{name}: {e}"))),
        }
    }
    Ok(wrong)
}

#[test]
fn exports_answer_as_their_checkpoints_do() {
    let chosen = std::env::var("FORMERS_GOLDEN").unwrap_or_default();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let folders = |path: &Path| fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect::<Vec<_>>();
    for model in folders(&root().join("ready")) {
        let checkpoints = root().join("generate/models").join(model.file_name().unwrap());
        for (index, export) in folders(&model).into_iter().enumerate().filter(|(_, path)| path.to_string_lossy().contains(&chosen)) {
            // The attention of onnxruntime-genai wants wide heads.
            let checkpoint = checkpoints.join(if export.join("genai_config.json").exists() { "causal_lm_wide" } else { "causal_lm" });
            // At the root as Optimum has them, and in a folder as transformers.js.
            let folder = published(&checkpoint, &export, if index % 2 == 0 { "" } else { "onnx" });
            let name = export.strip_prefix(root()).unwrap().display().to_string();
            match differences(&checkpoint.join("golden.json"), options(folder.path())) {
                Ok(differences) => wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}"))),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 13 || !chosen.is_empty(), "{count}");
}

/// Graphs from here as if others had made them: attention with a cache that is written in place, and `num_logits_to_keep`.
#[test]
fn graphs_of_others_that_look_like_ours_answer_as_well() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for checkpoint in goldens::checkpoints().into_iter().filter(|path| path.starts_with(root().join("generate"))) {
        let config = json(&checkpoint.join("config.json"));
        // What a longer text changes of the cache, graphs alone do not know.
        if !checkpoint.ends_with("causal_lm") || formers_models::couples_rows(&config) {
            continue;
        }
        let export = tempfile::tempdir().unwrap();
        let pretrained = Pretrained::open(Options::new(checkpoint.to_string_lossy())).unwrap();
        pretrained.export(pretrained.head(), export.path()).unwrap();
        let model = export.path().join("onnx/model.onnx");
        let bytes = fs::read(&model).unwrap();
        let place = bytes.windows(7).position(|name| name == b"formers").unwrap();
        fs::write(&model, [&bytes[..place], b"another", &bytes[place + 7..]].concat()).unwrap();
        let name = checkpoint.strip_prefix(root()).unwrap().display().to_string();
        match differences(&checkpoint.join("golden.json"), options(export.path())) {
            Ok(differences) => wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}"))),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 20, "{count}");
}

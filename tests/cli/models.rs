//! What is done with a model: wrong ones are refused, and others described, converted and timed.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    goldens::same,
    program::{CLASSIFIER, Program, copy, edit_config, golden},
};

#[test]
fn wrong_models() {
    let program = Program::new();
    let there = program.folder.path();
    let run = |model: &str, parts: &[&str]| program.fails(&["run", "text-classification", "--model", model, "a"], b"", parts);

    run("/no/such/folder", &["/no/such/folder", "neither an existing folder nor a model on the Hub"]);
    run("ada/none", &["ada/none", "not in the cache", "unset HF_HUB_OFFLINE", "; `formers download ada/none` does that"]);
    let empty = there.join("empty");
    fs::create_dir(&empty).unwrap();
    run(empty.to_str().unwrap(), &["empty", "no config.json"]);
    // A repository of the cache, which has its files deeper down, and what llama.cpp reads.
    fs::create_dir_all(empty.join("snapshots/c0ffee/1_Pooling")).unwrap();
    fs::write(empty.join("model.gguf"), "GGUF").unwrap();
    run(empty.to_str().unwrap(), &["no config.json", "GGUF files are not read; name the checkpoint"]);
    run(empty.join("model.gguf").to_str().unwrap(), &["model.gguf: GGUF files are not read"]);
    for folder in ["snapshots/c0ffee", "snapshots/c0ffee/1_Pooling"] {
        fs::write(empty.join(folder).join("config.json"), "{}").unwrap();
    }
    run(empty.to_str().unwrap(), &["no config.json", "name the folder snapshots/c0ffee in it"]);

    let config = copy(CLASSIFIER, &there.join("config"));
    fs::write(Path::new(&config).join("config.json"), "{\"model_type\": \n").unwrap();
    run(&config, &["config.json", "line 2"]);

    let absurd = copy(CLASSIFIER, &there.join("absurd"));
    for (field, value) in
        [("num_hidden_layers", json!(1_000_000_000)), ("num_attention_heads", json!(1_u64 << 60)), ("hidden_size", json!(-5))]
    {
        let folder = copy(CLASSIFIER, &there.join(field));
        edit_config(&folder, |config| config[field] = value);
        run(&folder, &[&folder]);
    }

    edit_config(&absurd, |config| config["model_type"] = json!("bertt"));
    run(&absurd, &["\"bertt\"", "near: bert", "onnx"]);

    let weights = fs::read(golden(CLASSIFIER).join("model.safetensors")).unwrap();
    let mut lying = weights.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (name, bytes) in [("empty", &[][..]), ("header", &weights[..20]), ("half", &weights[..weights.len() / 2]), ("lying", &lying)] {
        let folder = copy(CLASSIFIER, &there.join(name));
        fs::write(Path::new(&folder).join("model.safetensors"), bytes).unwrap();
        run(&folder, &["model.safetensors"]);
    }

    let bare = copy(CLASSIFIER, &there.join("bare"));
    for file in ["vocab.txt", "tokenizer.json"] {
        let _ = fs::remove_file(Path::new(&bare).join(file));
    }
    run(&bare, &[&bare, "tokenizer"]);
    let weightless = copy(CLASSIFIER, &there.join("weightless"));
    fs::remove_file(Path::new(&weightless).join("model.safetensors")).unwrap();
    run(&weightless, &[&weightless, "neither weights"]);
}

#[test]
fn what_a_model_is() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let info = program.json(&["info", &model, "--json"], b"");
    assert_eq!((&info["model_type"], &info["known"]), (&json!("bert"), &json!(true)));
    let tasks: Vec<&str> = info["tasks"].as_array().unwrap().iter().map(|task| task.as_str().unwrap()).collect();
    assert!(tasks.contains(&"text-classification") && tasks.contains(&"feature-extraction"), "{tasks:?}");
    assert!(!tasks.contains(&"fill-mask") && !tasks.contains(&"image-classification"), "{tasks:?}");
    let sum: u64 = info["dtypes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert!(sum > 0 && info["parameters"] == sum);
    let inputs: Vec<&str> = info["graphs"]["model"]["inputs"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["input_ids", "attention_mask", "token_type_ids"]);
    let weights = info["files"].as_array().unwrap().iter().find(|file| file["name"] == "model.safetensors").unwrap();
    assert_eq!(weights["size"], fs::metadata(golden(CLASSIFIER).join("model.safetensors")).unwrap().len());

    let vit = program.json(&["info", golden("vit/image_classification").to_str().unwrap(), "--json"], b"");
    assert_eq!(vit["tasks"], json!(["image-classification"]));
}

#[test]
fn converted_folders_answer_alike() {
    let program = Program::new();
    let (model, out) = (golden(CLASSIFIER), program.folder.path().join("out"));
    let (model, out) = (model.to_str().unwrap(), out.to_str().unwrap());
    let converted = program.json(&["convert", model, out, "--json"], b"");
    assert!(converted["files"].as_array().unwrap().contains(&json!(format!("{out}/onnx/model.onnx"))), "{converted}");
    let answer = |folder: &str| program.json(&["run", "text-classification", "good film", "-m", folder, "-p", "top_k=5"], b"");
    same(&answer(model), &answer(out), "answer").unwrap();
    for (arguments, code, part) in [
        (&[&*format!("{model}/config.json")][..], 2, "config.json: is a file; name a folder to write to"),
        (&["/proc/out"], 1, "error: /proc/out: "),
        (&["--dtype", "int8"], 2, "weights in int8 need a folder of their own: name a folder to write to"),
        (&["out2", "--dtype", "q4f16"], 2, "dtype: weights are converted to fp32, fp16, int8, q8 or q4, not to q4f16"),
        (&["out2", "--dtype", "q4", "--block-size", "7"], 2, "not a power of two from 16 to 256"),
        (&["out2", "--task", "fill-mask"], 4, "this checkpoint is BertForSequenceClassification: it can do text-classification"),
    ] {
        let mut command = program.command(&[&["convert", model], arguments].concat());
        command.current_dir(program.folder.path());
        let output = crate::program::output(command, b"");
        let told = crate::program::text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(part) && !told.contains(".part-"), "{arguments:?}: {told}");
    }
    assert!(!program.folder.path().join("out2").exists());
}

#[test]
fn how_fast_a_model_is() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let bench = program.json(&["bench", &model, "--batch", "2", "--seq", "8", "--runs", "3", "--json"], b"");
    assert_eq!((&bench["device"], &bench["dtype"], &bench["runs"]), (&json!("cpu"), &json!("fp32"), &json!(3)));
    let number = |field: &str| bench[field].as_f64().unwrap();
    assert!(number("load_ms") > 0.0 && number("min_ms") > 0.0 && number("min_ms") <= number("median_ms"), "{bench}");
    if cfg!(target_os = "linux") {
        assert!(number("peak_memory_bytes") > 1e6, "{bench}");
    }
    program.fails(&["bench", &model, "--runs", "0"], b"", &["--runs"]);

    // Models that generate, with an encoder and without, as a task has them and as they are.
    for (name, task) in
        [("gpt2/causal_lm", "text-generation"), ("t5/seq2seq", "summarization"), ("encoder-decoder/seq2seq", "text2text-generation")]
    {
        let model = golden("generate/models").join(name).to_str().unwrap().to_owned();
        let sizes = ["--prompt-tokens", "9", "--new-tokens", "5", "--batch", "2", "--runs", "2", "--json"];
        for own in [&[][..], &["--task", task]] {
            let bench = program.json(&[&["bench", &model], own, &sizes].concat(), b"");
            assert_eq!([&bench["prompt_tokens"], &bench["new_tokens"], &bench["batch"]], [9, 5, 2], "{name}: {bench}");
            assert!(["prefill_ms", "decode_tokens_per_second"].iter().all(|field| bench[field].as_f64().unwrap() > 0.0), "{name}: {bench}");
        }
    }

    let file = program.folder.path().join("sentences.txt");
    fs::write(&file, "one\n\ntwo words\n").unwrap();
    let model = golden("bert/sentence_mean").to_str().unwrap().to_owned();
    let bench = program.json(&["bench", &model, "--sentences", file.to_str().unwrap(), "--runs", "2", "--json"], b"");
    assert!(bench["sentences"] == 2 && bench["sentences_per_second"].as_f64().unwrap() > 0.0, "{bench}");
}

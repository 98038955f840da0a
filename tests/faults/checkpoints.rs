//! Checkpoints whose files are missing, damaged, or lie.

use std::{fs, path::Path};

use formers::ErrorKind::{self, *};
use serde_json::{Map, Value, json};

use super::{copy, edit, judge, load, report, watched};

/// What is done to a checkpoint, the error that loading it gives, and what the message holds.
struct Fault {
    what: &'static str,
    spoil: fn(&Path),
    kind: ErrorKind,
    says: &'static [&'static str],
}

fn check(task: &'static str, golden: &str, faults: &[Fault]) {
    let mut failures = Vec::new();
    for fault in faults {
        let folder = copy(golden);
        (fault.spoil)(folder.path());
        let path = folder.path().to_path_buf();
        if let Err(problem) = judge(watched(move || load(task, &path)), fault.kind, fault.says) {
            failures.push(format!("{}: {problem}", fault.what));
        }
    }
    report(failures);
}

const WEIGHTS: &str = "model.safetensors";

/// The JSON header and the bytes after it.
fn weights(folder: &Path) -> (Map<String, Value>, Vec<u8>) {
    let bytes = fs::read(folder.join(WEIGHTS)).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

fn write_weights(folder: &Path, header: &Map<String, Value>, data: &[u8]) {
    let header = serde_json::to_vec(header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, data].concat();
    fs::write(folder.join(WEIGHTS), bytes).unwrap();
}

/// Changes what the header says of the classifier's weight.
fn lie(folder: &Path, field: &str, value: Value) {
    let (mut header, data) = weights(folder);
    header["classifier.weight"][field] = value;
    write_weights(folder, &header, &data);
}

#[test]
fn weight_files() {
    const FILE: &str = "model.safetensors";
    check(
        "text-classification",
        "bert/sequence_classification",
        &[
            Fault {
                what: "missing",
                spoil: |f| fs::remove_file(f.join(FILE)).unwrap(),
                kind: Checkpoint,
                says: &[FILE, "pytorch_model.bin"],
            },
            Fault { what: "empty", spoil: |f| fs::write(f.join(FILE), "").unwrap(), kind: Checkpoint, says: &[FILE, "empty"] },
            Fault {
                what: "cut in the middle",
                spoil: |f| {
                    let file = fs::File::options().write(true).open(f.join(FILE)).unwrap();
                    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
                },
                kind: Checkpoint,
                says: &[FILE, "truncated"],
            },
            Fault {
                what: "a header past the end",
                spoil: |f| {
                    let mut bytes = fs::read(f.join(FILE)).unwrap();
                    bytes[..8].copy_from_slice(&90_000_000u64.to_le_bytes());
                    fs::write(f.join(FILE), bytes).unwrap();
                },
                kind: Checkpoint,
                says: &[FILE, "90000000"],
            },
            Fault {
                what: "a header of 2^64 bytes",
                spoil: |f| {
                    let mut bytes = fs::read(f.join(FILE)).unwrap();
                    bytes[..8].fill(0xff);
                    fs::write(f.join(FILE), bytes).unwrap();
                },
                kind: Checkpoint,
                says: &[FILE],
            },
            Fault {
                what: "a page of the Hub",
                spoil: |f| fs::write(f.join(FILE), "<!DOCTYPE html>").unwrap(),
                kind: Checkpoint,
                says: &[FILE],
            },
            Fault {
                what: "a pointer of Git LFS",
                spoil: |f| fs::write(f.join(FILE), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n").unwrap(),
                kind: Checkpoint,
                says: &[FILE, "Git LFS"],
            },
            Fault {
                what: "overlapping tensors",
                spoil: |f| {
                    let (header, _) = weights(f);
                    let [start, end] = serde_json::from_value::<[u64; 2]>(header["classifier.weight"]["data_offsets"].clone()).unwrap();
                    lie(f, "data_offsets", json!([start - 4, end - 4]));
                },
                kind: Checkpoint,
                says: &[FILE, "overlap"],
            },
            Fault {
                what: "offsets past the end",
                spoil: |f| lie(f, "data_offsets", json!([0, u64::MAX])),
                kind: Checkpoint,
                says: &[FILE, "classifier.weight", "data_offsets"],
            },
            Fault {
                what: "another dtype of the same size",
                spoil: |f| lie(f, "dtype", json!("I32")),
                kind: Checkpoint,
                says: &["classifier.weight", "I32"],
            },
            Fault {
                what: "a dtype that nobody knows",
                spoil: |f| lie(f, "dtype", json!("F7")),
                kind: Unsupported,
                says: &[FILE, "classifier.weight", "F7"],
            },
            Fault {
                what: "another shape of the same size",
                spoil: |f| {
                    let (header, _) = weights(f);
                    let mut shape: Vec<u64> = serde_json::from_value(header["classifier.weight"]["shape"].clone()).unwrap();
                    shape.reverse();
                    lie(f, "shape", json!(shape));
                },
                kind: Checkpoint,
                says: &["classifier.weight", "shape [32, 3]", "width 32"],
            },
            Fault {
                what: "a tensor under another name",
                spoil: |f| {
                    let (mut header, data) = weights(f);
                    let tensor = header.remove("classifier.weight").unwrap();
                    header.insert("classifier.wait".into(), tensor);
                    write_weights(f, &header, &data);
                },
                kind: Checkpoint,
                says: &["classifier.weight"],
            },
            Fault {
                what: "no tensors",
                spoil: |f| write_weights(f, &Map::new(), &[]),
                kind: Checkpoint,
                says: &["lacks", "classifier.weight"],
            },
            Fault {
                what: "a folder",
                spoil: |f| {
                    fs::remove_file(f.join(FILE)).unwrap();
                    fs::create_dir(f.join(FILE)).unwrap();
                },
                kind: Checkpoint,
                says: &[FILE],
            },
            Fault {
                what: "an index of shards that are not there",
                spoil: |f| {
                    fs::remove_file(f.join(FILE)).unwrap();
                    let index = json!({"weight_map": {"classifier.weight": "model-00001-of-00002.safetensors"}});
                    fs::write(f.join("model.safetensors.index.json"), index.to_string()).unwrap();
                },
                kind: NotFound,
                says: &["model-00001-of-00002.safetensors"],
            },
            Fault {
                what: "an index that leads out of the folder",
                spoil: |f| {
                    fs::remove_file(f.join(FILE)).unwrap();
                    let index = json!({"weight_map": {"classifier.weight": "../../etc/passwd"}});
                    fs::write(f.join("model.safetensors.index.json"), index.to_string()).unwrap();
                },
                kind: Checkpoint,
                says: &["model.safetensors.index.json", "../../etc/passwd"],
            },
            Fault {
                what: "an index without a map",
                spoil: |f| {
                    fs::remove_file(f.join(FILE)).unwrap();
                    fs::write(f.join("model.safetensors.index.json"), "{}").unwrap();
                },
                kind: Checkpoint,
                says: &["model.safetensors.index.json", "weight_map"],
            },
        ],
    );
}

#[test]
fn config_files() {
    let senseless: &[(&str, Value, ErrorKind, &[&str])] = &[
        ("hidden_size", json!(1u64 << 40), Config, &["hidden_size is 1099511627776", "embeddings.word_embeddings.weight"]),
        ("hidden_size", json!(0), Config, &["hidden_size"]),
        ("hidden_size", json!(-32), Config, &["hidden_size"]),
        ("hidden_size", json!("32"), Config, &["hidden_size"]),
        ("hidden_size", json!({"a": [32]}), Config, &["hidden_size"]),
        ("hidden_size", json!(31), Config, &["hidden_size is 31", "[320, 32]"]),
        ("num_hidden_layers", json!(1_000_000_000), Checkpoint, &["encoder.layer.2"]),
        ("num_hidden_layers", json!(3), Checkpoint, &["encoder.layer.2"]),
        ("num_attention_heads", json!(0), Config, &["attention heads"]),
        ("num_attention_heads", json!(1u64 << 63), Config, &["attention heads"]),
        ("vocab_size", json!(1_000_000_000_000u64), Config, &["vocab_size is 1000000000000", "embeddings.word_embeddings.weight"]),
        ("vocab_size", json!(-1), Config, &["vocab_size"]),
        ("vocab_size", json!(1e300), Config, &["vocab_size"]),
        ("intermediate_size", json!(0), Config, &["intermediate_size"]),
        ("max_position_embeddings", json!(u64::MAX), Config, &["max_position_embeddings", "embeddings.position_embeddings.weight"]),
        ("layer_norm_eps", json!("tiny"), Config, &["layer_norm_eps"]),
        ("hidden_act", json!("geluu"), Config, &["hidden_act", "geluu"]),
        ("model_type", json!("bertt"), Unsupported, &["bertt", "near", "bert", "onnx/model.onnx"]),
        ("model_type", json!("xyz"), Unsupported, &["xyz"]),
        ("model_type", json!(null), Config, &["model_type"]),
        ("model_type", json!(7), Config, &["model_type"]),
        ("id2label", json!({"0": "a", "1000000000": "b"}), Config, &["id2label"]),
        ("id2label", json!({"0": "a", "18446744073709551615": "b"}), Config, &["id2label"]),
        ("id2label", json!({"zero": "a"}), Config, &["id2label", "zero"]),
        ("id2label", json!(["a", "b"]), Config, &["id2label"]),
        ("num_labels", json!(1_000_000_000), Config, &["num_labels"]),
    ];
    let mut failures = Vec::new();
    for (field, value, kind, says) in senseless {
        let folder = copy("bert/sequence_classification");
        edit(&folder.path().join("config.json"), |config| {
            if *field == "num_labels" {
                config.as_object_mut().unwrap().remove("id2label");
            }
            config[*field] = value.clone();
        });
        let path = folder.path().to_path_buf();
        if let Err(problem) = judge(watched(move || load("text-classification", &path)), *kind, says) {
            failures.push(format!("{field} {value}: {problem}"));
        }
    }
    report(failures);
    check(
        "text-classification",
        "bert/sequence_classification",
        &[
            Fault {
                what: "no config.json",
                spoil: |f| fs::remove_file(f.join("config.json")).unwrap(),
                kind: Checkpoint,
                says: &["config.json"],
            },
            Fault { what: "empty", spoil: |f| fs::write(f.join("config.json"), "").unwrap(), kind: Config, says: &["config.json"] },
            Fault {
                what: "no JSON",
                spoil: |f| fs::write(f.join("config.json"), "{\n\"a\": }").unwrap(),
                kind: Config,
                says: &["config.json", "line 2"],
            },
            Fault { what: "no object", spoil: |f| fs::write(f.join("config.json"), "[1]").unwrap(), kind: Config, says: &["config.json"] },
            Fault {
                what: "no UTF-8",
                spoil: |f| fs::write(f.join("config.json"), b"{\"model_type\": \"\xff\"}").unwrap(),
                kind: Config,
                says: &["config.json"],
            },
            Fault {
                what: "a tower of lists",
                spoil: |f| fs::write(f.join("config.json"), "[".repeat(1 << 20)).unwrap(),
                kind: Config,
                says: &["config.json"],
            },
            Fault {
                what: "larger than such a file ever is",
                spoil: |f| fs::File::create(f.join("config.json")).unwrap().set_len(1 << 40).unwrap(),
                kind: Checkpoint,
                says: &["config.json", "larger"],
            },
        ],
    );
}

#[test]
fn tokenizer_files() {
    check(
        "fill-mask",
        "bert/masked_lm",
        &[
            Fault {
                what: "no vocabulary",
                spoil: |f| fs::remove_file(f.join("vocab.txt")).unwrap(),
                kind: NotFound,
                says: &["tokenizer.json", "vocab.txt"],
            },
            Fault {
                what: "an empty vocabulary",
                spoil: |f| fs::write(f.join("vocab.txt"), "").unwrap(),
                kind: Checkpoint,
                says: &["vocab"],
            },
            Fault {
                what: "no UTF-8",
                spoil: |f| fs::write(f.join("vocab.txt"), b"[UNK]\n\xff\xfe\n").unwrap(),
                kind: Checkpoint,
                says: &["vocab.txt"],
            },
            Fault {
                what: "a config that is no JSON",
                spoil: |f| fs::write(f.join("tokenizer_config.json"), "{").unwrap(),
                kind: Checkpoint,
                says: &["tokenizer_config.json", "line 1"],
            },
            Fault {
                what: "a config that is no object",
                spoil: |f| fs::write(f.join("tokenizer_config.json"), "7").unwrap(),
                kind: Checkpoint,
                says: &["tokenizer_config.json"],
            },
            Fault {
                what: "a side that there is not",
                spoil: |f| edit(&f.join("tokenizer_config.json"), |c| c["padding_side"] = json!("middle")),
                kind: Config,
                says: &["tokenizer_config.json", "padding_side", "middle"],
            },
            Fault {
                what: "an added token with an absurd number",
                spoil: |f| {
                    edit(&f.join("tokenizer_config.json"), |c| c["added_tokens_decoder"] = json!({"99999999999": {"content": "x"}}));
                },
                kind: Checkpoint,
                says: &["tokenizer_config.json", "added_tokens_decoder"],
            },
        ],
    );
    check(
        "feature-extraction",
        "roberta/plain",
        &[
            Fault {
                what: "missing",
                spoil: |f| fs::remove_file(f.join("tokenizer.json")).unwrap(),
                kind: NotFound,
                says: &["tokenizer.json"],
            },
            Fault {
                what: "empty",
                spoil: |f| fs::write(f.join("tokenizer.json"), "").unwrap(),
                kind: Checkpoint,
                says: &["tokenizer.json"],
            },
            Fault {
                what: "{}",
                spoil: |f| fs::write(f.join("tokenizer.json"), "{}").unwrap(),
                kind: Checkpoint,
                says: &["tokenizer.json"],
            },
            Fault {
                what: "a list",
                spoil: |f| fs::write(f.join("tokenizer.json"), "[]").unwrap(),
                kind: Checkpoint,
                says: &["tokenizer.json"],
            },
            Fault {
                what: "a model of no known type",
                spoil: |f| edit(&f.join("tokenizer.json"), |t| t["model"] = json!({"type": "Magic"})),
                kind: Checkpoint,
                says: &["tokenizer.json", "Magic"],
            },
            Fault {
                what: "a merge of unknown tokens",
                spoil: |f| edit(&f.join("tokenizer.json"), |t| t["model"]["merges"] = json!([["no such", "token"]])),
                kind: Checkpoint,
                says: &["vocabulary", "no such"],
            },
            Fault {
                what: "a vocabulary of words without numbers",
                spoil: |f| edit(&f.join("tokenizer.json"), |t| t["model"]["vocab"] = json!({"a": "b"})),
                kind: Checkpoint,
                says: &["tokenizer.json"],
            },
        ],
    );
    check(
        "feature-extraction",
        "xlm-roberta/plain",
        &[
            Fault {
                what: "no SentencePiece file",
                spoil: |f| fs::remove_file(f.join("sentencepiece.bpe.model")).unwrap(),
                kind: NotFound,
                says: &["sentencepiece.bpe.model"],
            },
            Fault {
                what: "half of one",
                spoil: |f| {
                    let file = f.join("sentencepiece.bpe.model");
                    let bytes = fs::read(&file).unwrap();
                    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
                },
                kind: Checkpoint,
                says: &["sentencepiece.bpe.model"],
            },
        ],
    );
}

#[test]
fn tokens_that_the_model_has_no_row_for() {
    let folder = copy("bert/masked_lm");
    let vocabulary = folder.path().join("vocab.txt");
    let more: String = (0..500).map(|i| format!("word{i}\n")).collect();
    fs::write(&vocabulary, fs::read_to_string(&vocabulary).unwrap() + &more).unwrap();
    let path = folder.path().to_path_buf();
    let outcome = watched(move || load("fill-mask", &path)?.call(&json!("word499 [MASK]"), &Value::Null));
    report(judge(outcome, Checkpoint, &["token", "vocab_size", "320"]).err().into_iter().collect());
}

#[test]
fn other_places() {
    let cases: &[(&str, String, ErrorKind, &[&str])] = &[
        ("text-classification", "/no/such/folder".into(), NotFound, &["/no/such/folder"]),
        ("text-clasification", "/no/such/folder".into(), Unsupported, &["text-clasification", "text-classification", "fill-mask"]),
        ("", "/no/such/folder".into(), Unsupported, &["fill-mask"]),
        ("text-classification", golden("bert/plain/config.json"), NotFound, &["config.json", "folder"]),
        ("text-classification", golden("vit/image_classification"), Unsupported, &["vit"]),
        ("text-classification", golden("esm"), Checkpoint, &["config.json"]),
        ("question-answering", golden("nomic_bert/plain"), Unsupported, &["nomic_bert", "QuestionAnswering"]),
    ];
    let mut failures = Vec::new();
    for (task, model, kind, says) in cases {
        let (task, model) = (*task, model.clone());
        let place = format!("{task} {model}");
        let outcome = watched(move || formers::pipeline(task, formers::Options::new(model)));
        if let Err(problem) = judge(outcome, *kind, says) {
            failures.push(format!("{place}: {problem}"));
        }
    }
    report(failures);
}

fn golden(name: &str) -> String {
    super::golden(name).to_string_lossy().into_owned()
}

#[test]
fn adapters() {
    const CONFIG: &str = r#"{"peft_type": "LORA", "base_model_name_or_path": "org/base", "task_type": "SEQ_CLS"}"#;
    check(
        "text-classification",
        "bert/sequence_classification",
        &[
            Fault {
                what: "beside the weights of its model",
                spoil: |f| fs::write(f.join("adapter_config.json"), CONFIG).unwrap(),
                kind: Unsupported,
                says: &["adapter_config.json", "LORA", "org/base", "merge"],
            },
            Fault {
                what: "alone",
                spoil: |f| {
                    fs::write(f.join("adapter_config.json"), CONFIG).unwrap();
                    fs::rename(f.join(WEIGHTS), f.join("adapter_model.safetensors")).unwrap();
                    fs::remove_file(f.join("config.json")).unwrap();
                },
                kind: Unsupported,
                says: &["adapter_config.json", "org/base"],
            },
            Fault {
                what: "with the config of its model",
                spoil: |f| {
                    fs::write(f.join("adapter_config.json"), "{}").unwrap();
                    fs::rename(f.join(WEIGHTS), f.join("adapter_model.safetensors")).unwrap();
                },
                kind: Unsupported,
                says: &["adapter_config.json", "not supported"],
            },
            Fault {
                what: "whose config is no JSON",
                spoil: |f| fs::write(f.join("adapter_config.json"), "{").unwrap(),
                kind: Config,
                says: &["adapter_config.json"],
            },
        ],
    );
}

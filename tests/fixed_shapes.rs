//! Ready-made graphs that take one length and one size of batches: they answer as the same graphs without those do, and what is longer is
//! cut.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::goldens;

use std::{fs, path::Path};

use formers::{
    Options,
    model::{Pretrained, Source},
    pipelines::AnyPipeline,
};
use goldens::same;
use serde_json::{Value, json};

const LENGTH: u64 = 24;
const ROWS: u64 = 3;

/// The graph of a golden as a ready-made one, with these sizes in place of the open ones.
fn exported(golden: &str, sizes: &[(&str, u64)]) -> (tempfile::TempDir, Options) {
    let base = formers_testing::golden(golden);
    let folder = tempfile::tempdir().unwrap();
    let pretrained = Pretrained::open(Options::new(base.to_string_lossy())).unwrap();
    pretrained.export(pretrained.head(), folder.path()).unwrap();
    let file = folder.path().join("onnx/model.onnx");
    // Of the graph's inputs: type, tensor_type, shape, dim.
    let fixed = edited(&fs::read(&file).unwrap(), &[7, 11, 2, 1, 2, 1], &|dim| {
        let param = fields(dim).find(|(number, ..)| *number == 2).map(|(.., bytes)| bytes);
        let size = sizes.iter().find(|(name, _)| param == Some(name.as_bytes()));
        size.map_or_else(|| dim.to_vec(), |(_, size)| [&[8][..], &varint(*size)].concat())
    });
    fs::write(&file, fixed).unwrap();
    let options = Options { source: Source::Onnx, ..Options::new(folder.path().to_string_lossy()) };
    (folder, options)
}

/// The fields of a message: number, all of it, and its bytes where it has some.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let start = message;
        let key = read(&mut message)?;
        let length = match key & 7 {
            0 => {
                read(&mut message)?;
                0
            }
            1 => 8,
            2 => read(&mut message)? as usize,
            _ => 4,
        };
        let (bytes, rest) = message.split_at(length);
        message = rest;
        Some((key >> 3, &start[..start.len() - rest.len()], bytes))
    })
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A message with those within it that the numbers of fields lead to as `change` has them.
fn edited(message: &[u8], way: &[u64], change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let Some((next, rest)) = way.split_first() else { return change(message) };
    let mut new = Vec::new();
    for (number, whole, bytes) in fields(message) {
        if number == *next {
            let inner = edited(bytes, rest, change);
            new.extend([varint(number << 3 | 2), varint(inner.len() as u64), inner].concat());
        } else {
            new.extend_from_slice(whole);
        }
    }
    new
}

fn ask(pipeline: &dyn AnyPipeline, inputs: &Value, parameters: &Value) -> Value {
    pipeline.call(inputs, parameters).unwrap_or_else(|error| panic!("{inputs} {parameters}: {error}"))
}

const SHORT: [&str; 4] = ["Hi", "The film was great.", "My name is Wolfgang.", "a b c d e"];

/// What each task is asked: of texts that fit, of some at once, and of one that does not fit with the arguments that cut it elsewhere.
#[test]
fn answers_are_those_of_open_sizes() {
    let long = "The film was wonderful and the actors were great. ".repeat(6);
    let cut = json!({"truncation": true, "max_length": LENGTH});
    let context = "My name is Wolfgang and I live in Berlin. The film was great. ".repeat(4);
    type Case = (&'static str, &'static str, Value, Value, Value);
    let cases: &[Case] = &[
        ("text-classification", "bert/sequence_classification", json!(SHORT), json!({"top_k": null}), json!({"top_k": null})),
        ("text-classification", "bert/sequence_classification", json!(long), json!({}), cut.clone()),
        ("text-classification", "bert/sequence_classification_left", json!(SHORT), json!({"top_k": null}), json!({"top_k": null})),
        ("token-classification", "bert/token_classification", json!(SHORT), json!({"ignore_labels": []}), json!({"ignore_labels": []})),
        ("fill-mask", "bert/masked_lm", json!(["a [MASK] b", "The [MASK]."]), json!({}), json!({})),
        (
            "question-answering",
            "bert/question_answering",
            json!({"question": "Who?", "context": context}),
            json!({"doc_stride": 4}),
            json!({"max_seq_len": LENGTH, "doc_stride": 4}),
        ),
        ("feature-extraction", "bert/sentence_mean", json!(SHORT), json!({"pooling": "model"}), json!({"pooling": "model"})),
        ("feature-extraction", "bert/sentence_mean", json!(SHORT), json!({}), json!({})),
        ("feature-extraction", "bert/plain", json!(long), json!({}), json!({"tokenize_kwargs": cut})),
        ("sentence-similarity", "bert/sentence_mean", json!({"source_sentence": "Hi", "sentences": SHORT}), json!({}), json!({})),
        ("text-ranking", "bert/cross_encoder", json!({"query": "Hi", "texts": SHORT}), json!({}), json!({})),
        (
            "zero-shot-classification",
            "bert/zero_shot",
            json!("Hi there"),
            json!({"candidate_labels": ["a", "b"]}),
            json!({"candidate_labels": ["a", "b"]}),
        ),
    ];
    for (task, golden, inputs, parameters, elsewhere) in cases {
        let (open, options) = exported(golden, &[]);
        let expected = ask(&*formers::pipeline(task, options).unwrap(), inputs, elsewhere);
        drop(open);
        for sizes in [
            &[("sequence_length", LENGTH)][..],
            &[("batch_size", ROWS)],
            &[("batch_size", ROWS), ("sequence_length", LENGTH)],
            &[("batch_size", 1)],
        ] {
            // Without a length of its own a graph is not for texts that are cut.
            if parameters != elsewhere && sizes.iter().all(|(name, _)| *name != "sequence_length") {
                continue;
            }
            let (_folder, options) = exported(golden, sizes);
            let found = ask(&*formers::pipeline(task, options).unwrap(), inputs, parameters);
            if let Err(problem) = same(&expected, &found, "answer") {
                panic!("{task} {golden} {sizes:?} {inputs}: {problem}");
            }
        }
    }
}

#[test]
fn pictures_come_in_batches_of_one_size() {
    let pictures: Vec<Value> = ["rgb.png", "tall.png", "gray.png", "small.png"]
        .iter()
        .map(|name| json!(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/media").join(name).to_string_lossy()))
        .collect();
    let answer = |sizes: &[(&str, u64)], inputs: &Value| {
        let (_folder, options) = exported("vit/image_classification", sizes);
        ask(&*formers::pipeline("image-classification", options).unwrap(), inputs, &json!({}))
    };
    for inputs in [json!(pictures), json!(pictures[..1])] {
        let expected = answer(&[], &inputs);
        for rows in [1, 2, 3, 8] {
            same(&expected, &answer(&[("batch_size", rows)], &inputs), "answer").unwrap();
        }
    }
}

/// Of an export that gives nothing but vectors of whole texts there are these, and no others.
#[test]
fn modules_of_the_checkpoint_come_on_top_of_hidden_states() {
    for golden in ["bert/sentence_mean", "bert/sentence_cls_and_mean", "bert/sentence_prompt"] {
        let base = formers_testing::golden(golden);
        let embed = |options: Options| {
            let pipeline = formers::pipeline("feature-extraction", options).unwrap();
            ask(&*pipeline, &json!(SHORT), &json!({"pooling": "model"}))
        };
        let expected = embed(Options::new(base.to_string_lossy()));
        // With its vectors of whole texts, without them, and with nothing else.
        for (kept, answers) in
            [(&["last_hidden_state", "sentence_embedding"][..], true), (&["last_hidden_state"], true), (&["sentence_embedding"], false)]
        {
            let (folder, options) = exported(golden, &[]);
            for module in fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
                let target = folder.path().join(module.file_name().unwrap());
                fs::create_dir_all(&target).unwrap();
                for file in fs::read_dir(module).unwrap().map(|entry| entry.unwrap().path()) {
                    fs::copy(&file, target.join(file.file_name().unwrap())).unwrap();
                }
            }
            let file = folder.path().join("onnx/model.onnx");
            let model = fs::read(&file).unwrap();
            let keeps =
                |output: &[u8]| fields(output).any(|(number, _, name)| number == 1 && kept.iter().any(|kept| kept.as_bytes() == name));
            let graph = |graph: &[u8]| {
                fields(graph).filter(|(number, _, bytes)| *number != 12 || keeps(bytes)).flat_map(|(_, whole, _)| whole.to_vec()).collect()
            };
            fs::write(&file, edited(&model, &[7], &graph)).unwrap();
            let pipeline = formers::pipeline("feature-extraction", options.clone()).unwrap();
            if let Err(problem) = same(&expected, &embed(options), "answer") {
                panic!("{golden} {kept:?}: {problem}");
            }
            assert_eq!(pipeline.call(&json!("Hi"), &json!({})).is_ok(), answers, "{golden} {kept:?}");
        }
    }
}

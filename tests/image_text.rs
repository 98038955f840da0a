//! Pictures and text in, text out: what goldens cannot say (scripts/goldens/llava.py makes the checkpoints).

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::goldens;

use std::{fs, path::Path, path::PathBuf};

use formers::{
    Options,
    model::{Head, Pretrained, Source},
    pipelines::{
        ImageTextToText, Pipeline,
        image_text_to_text::{self, Picture, Prompt},
    },
    preprocess::image::decode_rgb,
};
use goldens::{json, media, same};
use serde_json::{Value, json};

const CHECKPOINTS: [&str; 3] = ["image_text_to_text", "image_text_to_text_b", "image_text_to_text_c"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/llava").join(name)
}

fn picture(name: &str) -> String {
    folder("../media").join(name).to_string_lossy().into_owned()
}

/// A copy of a checkpoint, to be changed.
fn copy(name: &str) -> tempfile::TempDir {
    let copied = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, copied.path().join(file.file_name().unwrap())).unwrap();
    }
    copied
}

fn change(folder: &Path, file: &str, with: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value = json(&path);
    with(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

fn open(folder: &Path) -> formers::Result<ImageTextToText> {
    ImageTextToText::from_pretrained(&folder.to_string_lossy())
}

/// The cases of a golden that a pipeline does not answer as Python does.
fn differences(name: &str, pipeline: &ImageTextToText) -> Vec<String> {
    let golden = json(&folder(name).join("golden.json"));
    let cases = golden["cases"].as_array().unwrap().iter().filter(|case| case.get("error").is_none());
    let differ = |case: &Value| {
        let parameters = formers::pipelines::Parameters::new(&case["parameters"]).unwrap();
        let answer = Pipeline::call(pipeline, &media(&folder(name), &case["inputs"]), parameters).map_err(|error| error.to_string());
        let found = answer.and_then(|answer| same(&media(&folder(name), &case["answer"]), &answer, "answer"));
        found.err().map(|problem| format!("{name}: {} {}: {problem}", case["inputs"], case["parameters"]))
    };
    cases.filter_map(differ).collect()
}

#[test]
fn files_that_do_not_say_how_many_places_a_picture_takes_are_enough() {
    let without: [&[&str]; 3] =
        [&["num_additional_image_tokens"], &["patch_size", "num_additional_image_tokens", "image_token"], &["patch_size"]];
    for (name, without) in CHECKPOINTS.into_iter().zip(without) {
        let copied = copy(name);
        change(copied.path(), "processor_config.json", |config| {
            without.iter().for_each(|field| drop(config.as_object_mut().unwrap().shift_remove(*field)));
        });
        let wrong = differences(name, &open(copied.path()).unwrap());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn written_graphs_answer_as_the_checkpoint() {
    for name in CHECKPOINTS {
        let export = tempfile::tempdir().unwrap();
        let pretrained = Pretrained::open(Options::new(folder(name).to_string_lossy())).unwrap();
        assert_eq!(pretrained.head(), Head::ImageTextToText);
        pretrained.export(Head::ImageTextToText, export.path()).unwrap();
        let mut files: Vec<String> = fs::read_dir(export.path().join("onnx"))
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        files.retain(|file| file.ends_with(".onnx"));
        files.sort();
        assert_eq!(files, ["decoder_model_merged.onnx", "embed_tokens.onnx", "vision_encoder.onnx"]);
        let options = Options { source: Source::Onnx, ..Options::default() };
        let pipeline = ImageTextToText::builder(&export.path().to_string_lossy()).options(options).build().unwrap();
        let wrong = differences(name, &pipeline);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn pieces_joined_are_the_answer() {
    let rgb = picture("rgb.png");
    let pixels = decode_rgb(&fs::read(&rgb).unwrap(), "rgb.png").unwrap();
    let chat = [json!({"role": "user", "content": [{"type": "image", "url": rgb}, {"type": "text", "text": "What is this?"}]})];
    let mut most = 0;
    for name in CHECKPOINTS {
        let pipeline = open(&folder(name)).unwrap();
        for more in [json!({}), json!({"stop_strings": ["H", "e", "nd"]})] {
            let mut generation = more.as_object().unwrap().clone();
            generation.insert("max_new_tokens".into(), json!(30));
            let options = image_text_to_text::Options { generation, ..Default::default() };
            let prompts = [
                Prompt::Text("<image> What?", vec![Picture::Source(&rgb)]),
                Prompt::Text("<image> What?", vec![Picture::Pixels(&pixels)]),
                Prompt::Text("The river", Vec::new()),
                Prompt::Chat(&chat),
            ];
            let answers = pipeline.run_many(&prompts, &options).unwrap();
            assert_eq!(answers[0].as_ref().unwrap(), answers[1].as_ref().unwrap());
            for (prompt, answers) in prompts.iter().zip(answers) {
                let pieces: Vec<String> = pipeline.stream(prompt, &options).unwrap().map(Result::unwrap).collect();
                assert_eq!(pieces.concat(), answers.unwrap()[0].text, "{name} {prompt:?}");
                most = most.max(pieces.len());
            }
        }
    }
    assert!(most > 5, "{most}");
}

#[test]
fn what_does_not_fit_together_is_told() {
    let pipeline = open(&folder(CHECKPOINTS[0])).unwrap();
    let (rgb, sound) = (picture("rgb.png"), picture("voice.wav"));
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    for (inputs, parameters, says) in [
        (json!({"images": [rgb, rgb], "text": "<image>"}), json!({}), "1 <image> in the text for 2 pictures"),
        (json!({"images": rgb, "text": ["<image>", "<image>"]}), json!({}), "2 <image> in the texts for 1 pictures"),
        (json!("<image>"), json!({}), "1 <image> in the text for 0 pictures"),
        (json!({"images": rgb}), json!({}), "inputs.text: missing"),
        (json!({"images": 7, "text": "<image>"}), json!({}), "inputs.images: expected a picture"),
        (json!({"images": rgb, "image": rgb, "text": "<image>"}), json!({}), "inputs.image: not together with images"),
        (json!({"picture": rgb, "text": "<image>"}), json!({}), "inputs.picture: no such field"),
        (json!({"images": sound, "text": "<image>"}), json!({}), "voice.wav"),
        (json!({"images": [[[rgb]]], "text": "<image>"}), json!({}), "inputs.images[0]: expected a picture"),
        (user(json!([{"text": "a"}])), json!({}), "messages[0].content[0].type: missing"),
        (user(json!([{"type": "image", "url": null}])), json!({}), "messages[0].content[0].url: expected a path"),
        (user(json!([{"type": "video", "url": "a.mp4"}])), json!({}), "video"),
        (user(json!(7)), json!({}), "messages[0].content: expected a string or a list"),
        (json!([{"role": "user"}]), json!({}), "inputs[0].content: missing"),
        (json!({"images": rgb, "text": "<image>"}), json!({"num_beam": 3}), "num_beams"),
        (json!({"images": rgb, "text": "<image>"}), json!({"generate_kwargs": {"logprobs": true}}), "generate_kwargs.logprobs"),
        (json!({"images": rgb, "text": "<image> What?"}), json!({"processor_kwargs": {"max_length": 9}}), "do not truncate"),
    ] {
        let error = Pipeline::call(&pipeline, &inputs, formers::pipelines::Parameters::new(&parameters).unwrap()).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{inputs}: {error}");
    }
}

/// One of many that is wrong does not harm the others.
#[test]
fn each_input_fails_alone() {
    let pipeline = open(&folder(CHECKPOINTS[0])).unwrap();
    let good = json!({"images": picture("rgb.png"), "text": "<image>?"});
    let wrong = json!({"images": "nowhere.png", "text": "<image>?"});
    let inputs = [good.clone(), wrong, json!(7), good.clone(), json!("Hi")];
    let parameters = || formers::pipelines::Parameters::new(&json!({"max_new_tokens": 5})).unwrap();
    let answers = pipeline.call_many(&inputs, parameters()).unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true, true]);
    assert_eq!(answers[0].as_ref().unwrap(), answers[3].as_ref().unwrap());
    assert_eq!(*answers[0].as_ref().unwrap(), Pipeline::call(&pipeline, &good, parameters()).unwrap());
}

#[test]
fn checkpoints_that_contradict_themselves_are_told() {
    type Change = (&'static str, fn(&mut Value));
    let cases: [(Change, &str); 9] = [
        (("config.json", |config| config["vision_feature_layer"] = json!(9)), "vision_feature_layer"),
        (("config.json", |config| config["vision_feature_layer"] = json!([])), "vision_feature_layer"),
        (("config.json", |config| config["vision_feature_select_strategy"] = json!("cls")), "vision_feature_select_strategy"),
        (("config.json", |config| config["vision_config"]["model_type"] = json!("vit_of_others")), "vision_config.model_type"),
        (("config.json", |config| config["vision_config"]["model_type"] = json!("llama")), "part of another model"),
        (("config.json", |config| config["text_config"]["model_type"] = json!("gpt2")), "gpt2"),
        (("config.json", |config| config["text_config"]["vocab_size"] = json!(7)), "vocab_size"),
        (("processor_config.json", |config| config["patch_size"] = json!(12)), "patch_size"),
        (("config.json", |config| config["image_token_index"] = json!(3)), "token 3"),
    ];
    for ((file, with), says) in cases {
        let copied = copy(CHECKPOINTS[0]);
        change(copied.path(), file, with);
        let ask = |pipeline: ImageTextToText| pipeline.run(&picture("rgb.png"), "<image>?", 3);
        let error = open(copied.path()).and_then(ask).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{file}: {error}");
    }
}

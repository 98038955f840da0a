//! Ready-made exports of language models (scripts/goldens/ready.py, ready_genai.py): the answers of the checkpoints that they were
//! made of.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::goldens;

use std::{fs, path::Path};

use formers::generate::LanguageModel as _;
use formers::model::{ModelDtype, Pretrained, Source};
use formers::session::{Dim, Value};
use formers::{ErrorKind, Options, Result};
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
    let (cases, mut wrong) = (json(golden)["cases"].clone(), Vec::new());
    let task = cases[0]["task"].as_str().unwrap();
    let pipeline = formers::pipeline(task, options)?;
    for case in cases.as_array().unwrap().iter().filter(|case| case["task"] == task) {
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
            let wide = export.join("genai_config.json").exists();
            let name = if wide { "causal_lm_wide" } else { "causal_lm" };
            let checkpoint =
                formers_testing::checkpoint(&checkpoints.join(if export.join("encoder_model.onnx").exists() { "seq2seq" } else { name }));
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
    assert!(count >= 20 || !chosen.is_empty(), "{count}");
}

/// Drafts of a model with an encoder: the same answer where nothing has to be taken back, elsewhere it is said why there are none.
#[test]
fn drafts_behind_an_encoder_change_nothing_or_are_refused() {
    let checkpoint = formers_testing::golden("generate/models/bart/seq2seq");
    for (export, answers) in [("sides_merged", false), ("sides_two", false), ("sides_without_cache", true)] {
        let folder = published(&checkpoint, &root().join("ready/bart").join(export), "");
        let pipeline = formers::pipeline("text2text-generation", options(folder.path())).unwrap();
        let run = |parameters: &str| pipeline.call(&"the film, the film, the film".into(), &serde_json::from_str(parameters).unwrap());
        let plain = run(r#"{"num_beams": 1, "max_new_tokens": 24}"#).unwrap();
        match run(r#"{"num_beams": 1, "max_new_tokens": 24, "prompt_lookup_num_tokens": 4}"#) {
            Ok(drafted) => assert!(answers && drafted == plain, "{export}: {drafted}, not {plain}"),
            Err(error) => {
                let text = error.to_string();
                assert!(
                    !answers && error.kind() == ErrorKind::Unsupported && text.contains("prompt_lookup_num_tokens"),
                    "{export}: {text}"
                );
            }
        }
    }
}

/// A folder of onnxruntime-genai has no `config.json`, and may call its graph anything.
#[test]
fn a_folder_of_genai_needs_no_config() {
    let (checkpoint, export) = (formers_testing::golden("generate/models/llama/causal_lm_wide"), root().join("ready/llama/genai"));
    let folder = published(&checkpoint, &export, "");
    for file in ["config.json", "generation_config.json"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    fs::rename(folder.path().join("model.onnx"), folder.path().join("decoder.onnx")).unwrap();
    let file = folder.path().join("genai_config.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"model.onnx\"", "\"decoder.onnx\"")).unwrap();
    let pretrained = Pretrained::open(Options::new(folder.path().to_string_lossy())).unwrap();
    let files = pretrained.files().unwrap();
    for needed in ["decoder.onnx", "model.onnx.data", "genai_config.json"] {
        assert!(files.iter().any(|file| file == needed), "{needed}: {files:?}");
    }
    assert_eq!(differences(&checkpoint.join("golden.json"), Options::new(folder.path().to_string_lossy())).unwrap(), [""; 0]);
}

/// What is written of a checkpoint.
fn exported(checkpoint: &Path) -> tempfile::TempDir {
    let export = tempfile::tempdir().unwrap();
    let pretrained = Pretrained::open(Options::new(checkpoint.to_string_lossy())).unwrap();
    pretrained.export(pretrained.head(), export.path()).unwrap();
    export
}

/// The same as if somebody else had made it.
fn foreign(checkpoint: &Path) -> tempfile::TempDir {
    let export = exported(checkpoint);
    for model in fs::read_dir(export.path().join("onnx")).unwrap().map(|entry| entry.unwrap().path()) {
        if model.extension().is_some_and(|end| end == "onnx") {
            let bytes = fs::read(&model).unwrap();
            let place = bytes.windows(7).position(|name| name == b"formers").unwrap();
            fs::write(&model, [&bytes[..place], b"another", &bytes[place + 7..]].concat()).unwrap();
        }
    }
    export
}

/// Written encoder-decoders, as this program runs them and as others do. This one has the source's keys and values from the encoder;
/// others give its hidden states, and keep what the decoder makes of them in its first run. They know no further inputs.
#[test]
fn written_encoder_decoders_run_here_and_elsewhere() {
    let chosen = std::env::var("FORMERS_GOLDEN").unwrap_or_default();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for checkpoint in goldens::checkpoints().into_iter().filter(|path| formers_testing::name(path).starts_with("generate")) {
        let name = formers_testing::name(&checkpoint);
        if !name.contains("seq2seq") || !name.contains(&chosen) {
            continue;
        }
        let exports = [exported(&checkpoint), foreign(&checkpoint)];
        for (export, by) in exports.iter().zip(["here", "elsewhere"]) {
            match differences(&checkpoint.join("golden.json"), options(export.path())) {
                Ok(differences) => wrong.extend(differences.into_iter().map(|difference| format!("{name} {by}: {difference}"))),
                Err(error) => wrong.push(format!("{name} {by}: {error}")),
            }
        }
        let pretrained = Pretrained::open(options(exports[0].path())).unwrap();
        let model = pretrained.model(pretrained.head()).unwrap();
        let decoder = model.session("decoder_model_merged").unwrap();
        let (past, others): (Vec<&str>, Vec<&str>) =
            decoder.inputs().iter().map(|port| port.name.as_str()).partition(|name| name.starts_with("past_key_values."));
        assert_eq!(others, ["input_ids", "encoder_attention_mask", "encoder_hidden_states"], "{name}");
        // Optimum fills them by their order.
        let parts = ["decoder.key", "decoder.value", "encoder.key", "encoder.value"];
        let expected = (0..past.len() / 4).flat_map(|layer| parts.map(|part| format!("past_key_values.{layer}.{part}")));
        assert_eq!(past, expected.collect::<Vec<_>>(), "{name}");
        assert!(past.iter().all(|name| decoder.output(&name.replace("past_key_values", "present")).is_some()), "{name}");
        count += 1;
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 15 || !chosen.is_empty(), "{count}");
}

/// Graphs from here as if others had made them: attention with a cache that is written in place, and `num_logits_to_keep`.
#[test]
fn graphs_of_others_that_look_like_ours_answer_as_well() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for checkpoint in goldens::checkpoints().into_iter().filter(|path| formers_testing::name(path).starts_with("generate")) {
        let config = json(&checkpoint.join("config.json"));
        // What a longer text changes of the cache, graphs alone do not know.
        if !checkpoint.ends_with("causal_lm") || formers_models::couples_rows(&config) {
            continue;
        }
        let export = foreign(&checkpoint);
        let name = formers_testing::name(&checkpoint);
        match differences(&checkpoint.join("golden.json"), options(export.path())) {
            Ok(differences) => wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}"))),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 20, "{count}");
}

/// Written decoders as others run them: rows padded on the left or on the right, logits of all tokens at their places, and steps that
/// take what the run before gave.
#[test]
fn written_decoders_take_rows_that_are_padded_on_either_side() {
    let texts: [&[u32]; 3] = [&[5, 17, 40, 3, 22], &[9, 33], &[61]];
    for name in [
        "llama/causal_lm",
        "gpt2/causal_lm",
        "bloom/causal_lm",
        "gemma3_text/causal_lm",
        "opt/causal_lm",
        "lfm2/causal_lm",
        "falcon_h1/causal_lm",
    ] {
        let export = exported(&formers_testing::golden(&format!("generate/models/{name}")));
        let pretrained = Pretrained::open(options(export.path())).unwrap();
        let model = pretrained.model(pretrained.head()).unwrap();
        let session = model.session("model").unwrap();
        for left in [true, false] {
            let width = 5;
            let place = |row: usize, at: usize| {
                let lead = if left { width - texts[row].len() } else { 0 };
                at.checked_sub(lead).and_then(|at| texts[row].get(at)).copied()
            };
            let grid = |each: &dyn Fn(Option<u32>) -> i64| ndarray::Array2::from_shape_fn((3, width), |(row, at)| each(place(row, at)));
            let (ids, mut mask) = (grid(&|token| token.map_or(2, i64::from)), grid(&|token| i64::from(token.is_some())));
            let mut given: Vec<(String, Value)> = vec![("input_ids".into(), ids.into()), ("attention_mask".into(), mask.clone().into())];
            for port in session.inputs().iter().filter(|port| port.name.starts_with("past")) {
                let size = |dim: &Dim| match dim {
                    Dim::Fixed(size) => *size,
                    Dim::Named(name) if name == "batch_size" => 3,
                    _ => 0,
                };
                let shape: Vec<usize> = port.shape.iter().map(size).collect();
                given.push((port.name.clone(), Value::new(&shape, vec![0.0_f32; shape.iter().product()]).unwrap()));
            }
            let mut outputs = session.run(given.iter().map(|(name, value)| (name, value))).unwrap();
            let mut alone: Vec<_> = texts.iter().map(|_| formers::generate::open(&model, pretrained.config.value()).unwrap()).collect();
            let check = |logits: &[f32], expected: &[f32], what: &str| {
                let far = logits.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 2e-4, "{name}, padded on the {}: {what}: {far}", if left { "left" } else { "right" });
            };
            let logits = outputs.f32("logits").unwrap();
            assert_eq!(logits.shape()[..2], [3, width], "{name}");
            for (row, alone) in alone.iter_mut().enumerate() {
                for at in (0..width).filter(|at| place(row, *at).is_some()) {
                    let expected = alone.forward(&[&[place(row, at).unwrap()]]).unwrap();
                    let found: Vec<f32> = logits.slice(ndarray::s![row, at, ..]).iter().copied().collect();
                    check(&found, &expected, &format!("row {row}, place {at}"));
                }
            }
            drop(logits);
            for step in 0..4_u32 {
                mask = ndarray::concatenate![ndarray::Axis(1), mask, ndarray::Array2::ones((3, 1))];
                let ids = ndarray::Array2::from_shape_fn((3, 1), |(row, _)| i64::from(step) * 7 + row as i64 + 4);
                let mut next: Vec<(String, Value)> =
                    vec![("input_ids".into(), ids.clone().into()), ("attention_mask".into(), mask.clone().into())];
                for port in session.inputs().iter().filter(|port| port.name.starts_with("past")) {
                    let from = port.name.replace("past_key_values", "present").replace("past_", "present_");
                    next.push((port.name.clone(), outputs.take(&from).unwrap()));
                }
                outputs = session.run(next.iter().map(|(name, value)| (name, value))).unwrap();
                let logits = outputs.f32("logits").unwrap();
                for (row, alone) in alone.iter_mut().enumerate() {
                    let token = u32::try_from(ids[(row, 0)]).unwrap();
                    let found: Vec<f32> = logits.slice(ndarray::s![row, 0, ..]).iter().copied().collect();
                    check(&found, &alone.forward(&[&[token]]).unwrap(), &format!("row {row}, step {step}"));
                }
            }
        }
    }
}

/// Written decoders say to onnxruntime-genai what they are, where that can run them: a folder with nothing but that runs here as well.
#[test]
fn written_decoders_have_a_config_for_genai() {
    let checkpoint = formers_testing::golden("generate/models/llama/causal_lm");
    let export = exported(&checkpoint);
    for file in ["config.json", "generation_config.json"] {
        fs::remove_file(export.path().join(file)).unwrap();
    }
    let genai = json(&export.path().join("genai_config.json"));
    assert_eq!(genai["model"]["decoder"]["filename"], "onnx/model.onnx");
    assert_eq!(genai["model"]["vocab_size"], json(&checkpoint.join("config.json"))["vocab_size"]);
    assert_eq!(differences(&checkpoint.join("golden.json"), options(export.path())).unwrap(), [""; 0]);
    // States, some states, a cache that holds only up to a length, and no decoder alone.
    for other in ["mamba/causal_lm", "lfm2/causal_lm", "phi3/causal_lm_crossing", "bart/seq2seq"] {
        assert!(
            !exported(&formers_testing::golden(&format!("generate/models/{other}"))).path().join("genai_config.json").exists(),
            "{other}"
        );
    }
}

/// A text in runs of several tokens, of which some are taken back: the logits are those of one token at a time.
#[test]
fn caches_with_room_go_back() {
    for (checkpoint, export) in
        [("llama/causal_lm_wide", "llama/genai"), ("gpt2/causal_lm", "gpt2/without_cache"), ("gpt2/causal_lm", "gpt2/plain")]
    {
        let folder = published(&formers_testing::golden(&format!("generate/models/{checkpoint}")), &root().join("ready").join(export), "");
        let pretrained = Pretrained::open(options(folder.path())).unwrap();
        let model = pretrained.model(pretrained.head()).unwrap();
        let open = || formers::generate::open(&model, pretrained.config.value()).unwrap();
        let text: Vec<u32> = (0..40u32).map(|i| (i * i * 7 + i * 3) % 90).collect();
        let mut plain = open();
        let expected: Vec<Vec<f32>> = text.iter().map(|token| plain.forward(&[&[*token]]).unwrap()).collect();
        let mut drafted = open();
        let vocabulary = drafted.forward(&[&text[..5]]).unwrap().len();
        if export.ends_with("plain") {
            let error = drafted.extend(&text[5..7]).unwrap_err();
            assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("cut back"), "{error}");
            continue;
        }
        for at in (5..36).step_by(3) {
            let logits = drafted.extend(&[&text[at..at + 3], &[7, 7]].concat()).unwrap();
            drafted.cut(at + 3).unwrap();
            for (row, expected) in logits.chunks(vocabulary).zip(&expected[at..at + 3]) {
                let far = row.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 1e-4, "{export}: {at}: {far}");
            }
        }
        assert!(drafted.cut(99).is_err());
        drafted.select(&[0, 0]).unwrap();
        assert!(drafted.extend(&[1]).is_err() && drafted.forward(&[&[1]]).is_err() && drafted.select(&[2]).is_err());
    }
}

/// Longer than the room that is made at once, with rows that change places and go: the same logits.
#[test]
fn caches_with_room_grow() {
    let folder = foreign(&formers_testing::golden("generate/models/llama/causal_lm"));
    let config = fs::read_to_string(folder.path().join("config.json")).unwrap();
    assert!(config.contains("\"max_position_embeddings\": 128"), "the test goes to the end of the rotary table");
    let pretrained = Pretrained::open(options(folder.path())).unwrap();
    let model = pretrained.model(pretrained.head()).unwrap();
    let open = || formers::generate::open(&model, pretrained.config.value()).unwrap();
    let texts: Vec<Vec<u32>> = (0..3u32).map(|row| (0..300u32).map(|i| (i * i * 7 + row * 31 + i) % 90).collect()).collect();
    let mut decoder = open();
    // Two of one length, and one of another.
    let starts = [4, 9, 4];
    let mut order = vec![0, 1, 2];
    let mut logits = decoder.forward(&texts.iter().zip(starts).map(|(text, n)| &text[..n]).collect::<Vec<_>>()).unwrap();
    for step in 0..290 {
        let chosen: &[usize] = match step {
            50 => &[2, 1, 0],
            150 => &[1, 1, 0, 2],
            250 => &[3, 0, 2],
            _ => &[],
        };
        if !chosen.is_empty() {
            decoder.select(chosen).unwrap();
            order = chosen.iter().map(|&row| order[row]).collect();
        }
        let next: Vec<[u32; 1]> = order.iter().map(|&row| [texts[row][starts[row] + step]]).collect();
        logits = decoder.forward(&next.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>()).unwrap();
    }
    let vocabulary = logits.len() / order.len();
    for (row, logits) in order.into_iter().zip(logits.chunks(vocabulary)) {
        let expected = open().forward(&[&texts[row][..starts[row] + 290]]).unwrap();
        let far = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "row {row}: {far}");
    }
}

#[test]
fn graphs_that_cannot_be_wired_say_why() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("position_ids", "positiom_ids", &["positiom_ids", "does not fill"]),
        ("present.1.value", "presemt.1.value", &["past_key_values.1.value", "present.1.value"]),
        ("logits", "logitz", &["logits"]),
        ("past_key_values.0.key", "pbst_key_values.0.key", &["pbst_key_values.0.key"]),
    ];
    for (name, other, says) in cases {
        let folder = published(&formers_testing::golden("generate/models/gpt2/causal_lm"), &root().join("ready/gpt2/plain"), "");
        let file = folder.path().join("model.onnx");
        let mut bytes = fs::read(&file).unwrap();
        let places: Vec<usize> =
            bytes.windows(name.len()).enumerate().filter(|(_, part)| *part == name.as_bytes()).map(|(at, _)| at).collect();
        places.iter().for_each(|at| bytes[*at..at + name.len()].copy_from_slice(other.as_bytes()));
        fs::write(&file, bytes).unwrap();
        let error = formers::pipeline("text-generation", options(folder.path())).err().unwrap();
        assert!(error.kind() == ErrorKind::Unsupported && says.iter().all(|part| error.to_string().contains(part)), "{name}: {error}");
    }
}

/// Which files are taken: the first complete set of roles, each in the type that the call or `transformers.js_config` asks for.
#[test]
fn files_are_those_of_the_roles_in_their_types() {
    let decoder = r#"{"model_type": "another", "architectures": ["AnotherForCausalLM"]}"#;
    let two_sided = r#"{"model_type": "another", "architectures": ["AnotherForConditionalGeneration"], "is_encoder_decoder": true,
        "transformers.js_config": {"dtype": {"encoder_model": "fp32", "decoder_model_merged": "q8"}}}"#;
    type Case<'a> = (&'a str, &'a [&'a str], ModelDtype, std::result::Result<&'a [&'a str], &'a str>);
    let cases: &[Case<'_>] = &[
        (decoder, &["onnx/model.onnx", "onnx/decoder_model_merged.onnx"], ModelDtype::Auto, Ok(&["onnx/model.onnx"])),
        (
            decoder,
            &["decoder_model.onnx", "decoder_with_past_model.onnx", "decoder_with_past_model.onnx_data"],
            ModelDtype::Auto,
            Ok(&["decoder_model.onnx", "decoder_with_past_model.onnx", "decoder_with_past_model.onnx_data"]),
        ),
        (
            decoder,
            &["onnx/model.onnx", "onnx/model_q4f16.onnx", "onnx/model_q4f16.onnx_data", "onnx/model_q4f16.onnx_data_1"],
            ModelDtype::Q4f16,
            Ok(&["onnx/model_q4f16.onnx", "onnx/model_q4f16.onnx_data", "onnx/model_q4f16.onnx_data_1"]),
        ),
        (decoder, &["onnx/model.onnx"], ModelDtype::Q4, Err("model_q4.onnx")),
        (
            two_sided,
            &[
                "onnx/model.onnx",
                "onnx/encoder_model.onnx",
                "onnx/encoder_model_quantized.onnx",
                "onnx/decoder_model_merged.onnx",
                "onnx/decoder_model_merged_quantized.onnx",
            ],
            ModelDtype::Auto,
            Ok(&["onnx/decoder_model_merged_quantized.onnx", "onnx/encoder_model.onnx"]),
        ),
        (
            two_sided,
            &["encoder_model.onnx", "decoder_model_merged.onnx", "decoder_model_merged_fp16.onnx"],
            ModelDtype::Fp16,
            Err("encoder_model_fp16.onnx"),
        ),
        (
            two_sided,
            &["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"],
            ModelDtype::Auto,
            Ok(&["decoder_model.onnx", "decoder_with_past_model.onnx", "encoder_model.onnx"]),
        ),
    ];
    for (config, there, dtype, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("onnx")).unwrap();
        fs::write(folder.path().join("config.json"), config).unwrap();
        there.iter().for_each(|file| fs::write(folder.path().join(file), "").unwrap());
        let pretrained = Pretrained::open(Options { dtype: *dtype, ..options(folder.path()) }).unwrap();
        match (pretrained.files(), expected) {
            (Ok(mut files), Ok(expected)) => {
                files.retain(|file| file != "config.json");
                assert_eq!(files, *expected, "{there:?}");
            }
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
            (found, _) => panic!("{there:?}: {found:?}"),
        }
    }
}

/// Answers in the middle of a prompt, and of several prompts at once, with and without a cache.
#[test]
fn exports_decide_as_their_checkpoints_do() {
    let folders = |path: &Path| fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect::<Vec<_>>();
    let states =
        serde_json::json!(["The tower is high.", {"a": [1, "Zoë"]}, "and a longer text than the others are, which is padding for them"]);
    let questions = serde_json::json!({"first": {"type": "noul"}, "second": {"type": "choice", "criteria": {"x": null, "y": null}}});
    for family in ["bloom", "gpt2", "gpt_bigcode", "llama", "opt"] {
        let labels = if family == "llama" { ["t", "w"] } else { ["A", "B"] };
        let labels = serde_json::json!({"noul": labels, "choice": labels});
        let asked = |template: &str| {
            let config = serde_json::json!({"labels": labels, "chat_template": template});
            serde_json::json!({"questions": questions, "decision_config": config})
        };
        let at_once = asked("{{ state }}{% for q in questions %} {{ q.name }}?<|mark|>{% endfor %}.");
        let each = asked("{{ state }} {{ question.name }}?<|mark|> yes");
        // The numbers of a graph in half precision are its own.
        for export in folders(&root().join("ready").join(family)).into_iter().filter(|export| !export.ends_with("half")) {
            let wide = export.join("genai_config.json").exists();
            let checkpoint =
                formers_testing::golden(&format!("generate/models/{family}/{}", if wide { "causal_lm_wide" } else { "causal_lm" }));
            let folder = published(&checkpoint, &export, "");
            let open = |options: Options| formers::pipeline("decision", options).unwrap();
            let (own, ready) = (open(Options::new(checkpoint.to_string_lossy())), open(options(folder.path())));
            for parameters in [&at_once, &each] {
                let answers = [&own, &ready].map(|decide| decide.call(&states, parameters).unwrap());
                same(&answers[0], &answers[1], &format!("{}: {parameters}", export.display())).unwrap();
            }
        }
    }
}

//! The program as people and scripts use it: exact answers on standard output, one `error:` line for everything that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/goldens.rs"]
mod goldens;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use formers::pipelines::{
    Pipeline as _, TASKS, TextGeneration,
    text_generation::{self, Part},
};
use formers::postprocess::answer::Answer;
use formers::preprocess::text::chat::ChatOptions;
use goldens::{checkpoints, media, same};
use serde_json::{Value, json};
use tempfile::TempDir;

const CLASSIFIER: &str = "bert/sequence_classification";

/// The program, without the network and with caches of its own.
struct Program {
    folder: TempDir,
}

impl Program {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_formers"));
        command.args(arguments).env_remove("RUST_LOG").env("HF_HUB_OFFLINE", "1");
        command.env("HF_HUB_CACHE", self.folder.path().join("hub")).env("FORMERS_CACHE", self.folder.path().join("converted"));
        command
    }

    fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        output(self.command(arguments), stdin)
    }

    /// The one JSON document that the program prints.
    fn json(&self, arguments: &[&str], stdin: &[u8]) -> Value {
        let output = self.run(arguments, stdin);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&output.stdout)))
    }

    /// That the program fails as it should, with a message that holds these parts.
    fn fails(&self, arguments: &[&str], stdin: &[u8], parts: &[&str]) {
        fails(self.command(arguments), stdin, parts);
    }
}

fn output(mut command: Command, stdin: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails early does not read what it is sent.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn fails(command: Command, stdin: &[u8], parts: &[&str]) {
    let name = format!("{command:?}");
    let output = output(command, stdin);
    let error = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {:?}: {error}", output.status);
    assert!(output.stdout.is_empty(), "{name}: {}", text(&output.stdout));
    let lines: Vec<&str> = error.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{name}: {error}");
    for part in parts {
        assert!(error.contains(part), "{name}: {part:?} is not in: {error}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// A copy of a golden checkpoint, to be damaged.
fn copy(name: &str, to: &Path) -> String {
    let folder = to.join(name.replace('/', "-"));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(golden(name)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

fn edit_config(folder: &str, edit: impl FnOnce(&mut Value)) {
    let path = Path::new(folder).join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn requests_are_answered_as_python_answers_them() {
    let program = Program::new();
    let file = program.folder.path().join("request.json");
    let folders = checkpoints();
    for task in TASKS {
        let mut answered = 0;
        for folder in &folders {
            let golden: Value = serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
            let cases = golden["cases"].as_array().unwrap();
            for case in cases.iter().filter(|case| case["task"] == task.id && case.get("error").is_none()).take(3 - answered) {
                let request = json!({ "inputs": media(folder, &case["inputs"]), "parameters": case["parameters"] }).to_string();
                let model = folder.to_str().unwrap();
                let from_stdin = program.json(&["run", task.id, "--model", model, "--request", "-"], request.as_bytes());
                same(&case["answer"], &from_stdin, &format!("{}: {request}", task.id)).unwrap();
                fs::write(&file, &request).unwrap();
                let from_file = program.json(&["run", task.id, "-m", model, "-r", file.to_str().unwrap()], b"");
                assert_eq!(from_file, from_stdin);
                answered += 1;
            }
        }
        assert!(answered > 0, "no golden for {}", task.id);
    }
}

#[test]
fn arguments_stand_for_requests() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |arguments: &[&str], stdin: &str| {
        program.json(&[&["run", "text-classification", "--model", &model], arguments].concat(), stdin.as_bytes())
    };
    let request = |request: Value| run(&["--request", "-"], &request.to_string());

    assert_eq!(run(&["good film"], ""), request(json!({ "inputs": "good film" })));
    assert_eq!(run(&["good", "bad", "--json"], ""), request(json!({ "inputs": ["good", "bad"] })));
    assert_eq!(run(&["-"], "good\nbad\n"), request(json!({ "inputs": ["good", "bad"] })));
    assert_eq!(
        run(&["good", "--param", "top_k=null", "-p", "function_to_apply=sigmoid"], ""),
        request(json!({ "inputs": "good", "parameters": { "top_k": null, "function_to_apply": "sigmoid" } }))
    );
    assert_eq!(run(&["a", "-p", "text_pair=b"], ""), request(json!({ "inputs": { "text": "a", "text_pair": "b" } })));
}

#[test]
fn wrong_requests() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let request = |bytes: &[u8], parts: &[&str]| {
        program.fails(&["run", "text-classification", "--model", &model, "--request", "-"], bytes, parts);
    };
    request(b"{\"input\": \"a\"}", &["input: a request has no such field", "inputs and parameters"]);
    request(b"{\"inputs\": \"a\", \"parameters\": {}, \"options\": {}}", &["options: "]);
    request(b"{}", &["inputs: missing"]);
    request(b"{\"inputs\": \"a\", \"parameters\": [1]}", &["parameters: expected an object"]);
    request(b"{\"inputs\": \"\xff\"}", &["byte 12 is not UTF-8"]);
    request(b"{\"inputs\": ", &["not valid JSON", "line 1"]);
    request(b"", &["standard input", "empty"]);
    request(b"\"a\"", &["expected an object", "a string"]);
    request(b"{\"inputs\": 7}", &["inputs: expected a string", "a number"]);
    request(b"{\"inputs\": [\"a\", null]}", &["input 1", "null"]);
    request(b"{\"inputs\": \"a\", \"parameters\": {\"top_kk\": 1}}", &["parameters.top_kk", "top_k, function_to_apply"]);
    request(b"{\"inputs\": \"a\", \"parameters\": {\"top_k\": \"x\"}}", &["parameters.top_k", "\"x\""]);
    request("[".repeat(100_000).as_bytes(), &["not valid JSON"]);

    let run = |arguments: &[&str], stdin: &[u8], parts: &[&str]| program.fails(arguments, stdin, parts);
    run(&["run", "text-classificatoin", "a"], b"", &["\"text-classificatoin\"", "text-classification", "fill-mask"]);
    run(&["run", "text-classification", "--model", &model], b"", &["no INPUT"]);
    run(&["run", "text-classification", "--model", &model, "-"], b"a\xff", &["standard input: byte 1 is not UTF-8"]);
    run(&["run", "text-classification", "a", "--request", "-"], b"", &["cannot be used with"]);
    run(&["run", "text-classification", "-m", &model, "--request", "/no/such/file"], b"", &["/no/such/file"]);
    run(&["run", "text-classification", "-m", &model, "a", "--save", "a.png"], b"", &["--save a.png", "no picture"]);
    run(&["run", "image-classification", "-m", golden("vit/image_classification").to_str().unwrap(), "no.png"], b"", &["no.png"]);
    run(&["rum"], b"", &["'rum'", "run"]);
    run(&["run", "text-classification", "a", "--device", "gpu"], b"", &["gpu", "cuda[:N]"]);
    run(&["run", "text-classification", "a", "--dtype", "fp31"], b"", &["fp31", "fp32"]);
}

/// Text that cannot come: one line that names what is wrong, whichever task writes it.
#[test]
fn texts_that_cannot_be_written() {
    let program = Program::new();
    let of = |name: &str| golden("generate/models").join(name).to_str().unwrap().to_owned();
    let (decoder, reader) = (of("gpt2/causal_lm"), of("bart/seq2seq"));
    let run = |task: &str, model: &str, text: &str, parameter: &str, parts: &[&str]| {
        program.fails(&["run", task, text, "-m", model, "-p", parameter], b"", parts);
    };
    run("text-generation", &decoder, &"river ".repeat(400), "do_sample=false", &["input 0: ", "positions for 80", "shorten the prompt"]);
    for (task, model) in [("text-generation", &decoder), ("text2text-generation", &reader)] {
        run(task, model, "Hi", "max_new_tokens=-3", &["max_new_tokens: ", "-3"]);
        run(task, model, "Hi", "sequence_bias=[[[99999],1.0]]", &["sequence_bias: ", "99999"]);
        run(task, model, "Hi", "num_beams=70000", &["num_beams: 70000"]);
        run(task, model, "Hi", "dola_layers=high", &["dola_layers: \"high\" is not supported"]);
        run(task, model, "Hi", "forced_decoder_ids=[[1,2]]", &["parameters.forced_decoder_ids: "]);
        run(task, model, "Hi", "json_schema={\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", &["json_schema: ", "minimum (5)"]);
    }
    run(
        "summarization",
        &reader,
        "Hi",
        &format!("assistant_model={decoder}"),
        &["assistant_model: ", &decoder, "ForConditionalGeneration"],
    );
    let chat = |template: &str| {
        json!({"inputs": [{"role": "user", "content": "Hi"}], "parameters": {"tokenizer_encode_kwargs": {"chat_template": template}}})
            .to_string()
    };
    for (template, said) in [
        ("{{ raise_exception('no') }}", "the chat template raises: no"),
        ("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", "it does not end"),
    ] {
        program.fails(&["run", "text-generation", "-m", &decoder, "--request", "-"], chat(template).as_bytes(), &["template", said]);
    }
    let tools = program.folder.path().join("tools.json");
    fs::write(&tools, "not JSON").unwrap();
    program.fails(&["chat", &decoder, "--tools", tools.to_str().unwrap()], b"", &["tools.json", "not a JSON list"]);
}

#[test]
fn wrong_models() {
    let program = Program::new();
    let there = program.folder.path();
    let run = |model: &str, parts: &[&str]| program.fails(&["run", "text-classification", "--model", model, "a"], b"", parts);

    run("/no/such/folder", &["/no/such/folder", "neither an existing folder nor a model on the Hub"]);
    run("ada/none", &["ada/none", "not in the cache", "HF_HUB_OFFLINE"]);
    let empty = there.join("empty");
    fs::create_dir(&empty).unwrap();
    run(empty.to_str().unwrap(), &["empty", "no config.json"]);

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
fn texts_of_any_length() {
    let program = Program::new();
    let model = golden("bert/sentence_mean").to_str().unwrap().to_owned();
    let long = "words and words ".repeat(1 << 16);
    let embed = |text: &str| {
        let request = json!({ "inputs": text, "parameters": { "pooling": "model" } }).to_string();
        program.json(&["run", "feature-extraction", "--model", &model, "--request", "-"], request.as_bytes())
    };
    assert_eq!(embed(&long).as_array().unwrap().len(), embed("").as_array().unwrap().len());
    // Python does not truncate here, and neither does this.
    let request = json!({ "inputs": long }).to_string();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    program.fails(&["run", "text-classification", "--model", &model, "--request", "-"], request.as_bytes(), &["inputs: ", "tokens"]);
}

#[test]
fn what_the_machine_lacks() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = ["run", "text-classification", "--model", &model, "a"];

    let mut command = program.command(&run);
    command.env("ORT_DYLIB_PATH", "/no/libonnxruntime.so");
    fails(command, b"", &["/no/libonnxruntime.so", "ORT_DYLIB_PATH", "scripts/setup"]);

    let not_a_library = program.folder.path().join("libonnxruntime.so");
    fs::write(&not_a_library, "no library").unwrap();
    let mut command = program.command(&run);
    command.env("ORT_DYLIB_PATH", &not_a_library);
    fails(command, b"", &["libonnxruntime.so"]);

    if !cfg!(feature = "cuda") {
        program.fails(&[&run[..], &["--device", "cuda:1"]].concat(), b"", &["cuda:1", "Cargo feature `cuda`"]);
    }
    let auto = program.run(&[&run[..], &["--device", "auto"]].concat(), b"");
    assert!(auto.status.success() && text(&auto.stderr).contains("device auto: took "), "{}", text(&auto.stderr));

    // Folders that are files can neither be read nor written to, whoever asks.
    let file = program.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    program.fails(&["cache", "list", "--cache-dir", file], b"", &[file]);
    program.fails(&["run", "text-classification", "--model", "ada/none", "--cache-dir", file, "a"], b"", &["ada/none", file]);
    let mut command = program.command(&[&run[..], &["--dtype", "int8"]].concat());
    command.env("FORMERS_CACHE", file);
    fails(command, b"", &[file, "FORMERS_CACHE"]);
    let mut command = program.command(&["doctor", "--offline"]);
    command.env("FORMERS_CACHE", file);
    let output = output(command, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("problem: converted models"), "{}", text(&output.stdout));
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_or_closed() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let mut command = program.command(&["run", "text-classification", "--model", &model, "a"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: standard output: No space left"), "{}", text(&output.stderr));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program.command(&["tasks"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn tasks_and_their_parameters() {
    let program = Program::new();
    let tasks = program.json(&["tasks", "--json"], b"");
    let ids: Vec<&str> = tasks.as_array().unwrap().iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(ids, TASKS.iter().map(|task| task.id).collect::<Vec<_>>());
    assert_eq!(program.json(&["tasks", "ner", "--json"], b"")["task"], "token-classification");
    assert!(text(&program.run(&["tasks", "ner"], b"").stdout).contains("aggregation_strategy"));
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
    program.fails(&["convert", model, &format!("{model}/config.json")], b"", &["config.json"]);
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

#[test]
fn the_cache() {
    let program = Program::new();
    assert_eq!(program.json(&["cache", "list", "--json"], b""), json!([]));
    // A model as Python's `huggingface_hub` leaves it.
    let repo = program.folder.path().join("hub/models--ada--tiny");
    let commit = "c0ffee".repeat(7)[..40].to_owned();
    let snapshot = repo.join("snapshots").join(&commit);
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(repo.join("refs/main"), &commit).unwrap();
    for entry in fs::read_dir(golden(CLASSIFIER)).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), snapshot.join(entry.file_name())).unwrap();
    }
    let answer = program.json(&["run", "text-classification", "--model", "ada/tiny", "good film"], b"");
    assert_eq!(answer, program.json(&["run", "text-classification", "--model", golden(CLASSIFIER).to_str().unwrap(), "good film"], b""));

    let list = program.json(&["cache", "list", "--json"], b"");
    assert_eq!((&list[0]["model"], &list[0]["revisions"][0]["refs"]), (&json!("ada/tiny"), &json!(["main"])));
    assert_eq!(program.json(&["cache", "size", "--json"], b"")["downloaded"]["size"], list[0]["size"]);
    assert!(program.json(&["cache", "verify", "ada/tiny", "--json"], b"")[0]["problems"].as_array().unwrap().is_empty());
    let downloaded = program.json(&["download", "ada/tiny", "--json"], b"");
    assert!(downloaded["files"]["model.safetensors"].as_str().unwrap().ends_with("model.safetensors"), "{downloaded}");
    let folder = text(&program.run(&["download", "ada/tiny"], b"").stdout);
    assert_eq!(Path::new(folder.trim()), snapshot);
    program.fails(&["download", "ada/tiny", "none.bin"], b"", &["ada/tiny", "none.bin"]);

    program.json(&["run", "text-classification", "--model", "ada/tiny", "--dtype", "int8", "good film"], b"");
    assert!(program.json(&["cache", "remove", "--converted", "--json"], b"")["freed"].as_u64().unwrap() > 0);
    assert!(program.json(&["cache", "remove", "ada/tiny", "--json"], b"")["freed"].as_u64().unwrap() > 0);
    program.fails(&["cache", "remove", "ada/tiny"], b"", &["ada/tiny", "not in the cache"]);
}

#[test]
fn the_doctor() {
    let program = Program::new();
    let report = program.json(&["doctor", "--offline", "--json"], b"");
    assert_eq!((&report["onnxruntime"]["ready"], &report["hub"]["offline"]), (&json!(true), &json!(true)));
    assert_eq!(report["caches"].as_array().unwrap().len(), 2);

    let mut command = program.command(&["doctor", "--offline"]);
    command.env("ORT_DYLIB_PATH", "/no/libonnxruntime.so");
    let output = output(command, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("problem: ") && text(&output.stderr).starts_with("error: models cannot run"));
}

/// A talk of two lines: each answer is that of the library to the chat so far.
#[test]
fn a_chat_answers_line_by_line() {
    let program = Program::new();
    let model = golden("generate/models/qwen2/causal_lm").to_str().unwrap().to_owned();
    let run = |lines: &str, more: &[&str]| {
        let command = [&["chat", &model, "--max-new-tokens", "8", "--param", "do_sample=false"], more].concat();
        let output = program.run(&command, lines.as_bytes());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let generate = TextGeneration::from_pretrained(&model).unwrap();
    let generation = json!({"do_sample": false, "max_new_tokens": 8}).as_object().cloned().unwrap();
    let options = text_generation::Options { generation, ..Default::default() };
    let answer = |messages: &Value| {
        let prompt = text_generation::Prompt::Chat(messages.as_array().unwrap());
        generate.run_many(&[prompt], &options).unwrap().swap_remove(0).unwrap().swap_remove(0).text
    };
    let mut messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is the tower?"}]);
    let first = answer(&messages);
    let list = messages.as_array_mut().unwrap();
    list.extend([json!({"role": "assistant", "content": first}), json!({"role": "user", "content": "Who?"})]);
    let second = answer(&messages);
    assert_ne!(first, second);
    let output = run("Where is the tower?\n\nWho?\n/clear\nWhere is the tower?\n/exit\nWho?\n", &["--system", "Be brief."]);
    assert_eq!(output, format!("{first}\n{second}\n{first}\n"));
}

/// A model whose checkpoint says how its answers are taken apart: reasoning goes to standard error, and a call asks for what its tool gives.
#[test]
fn a_chat_shows_reasoning_apart_and_asks_for_what_tools_give() {
    let program = Program::new();
    let model = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let tools = json!([{"type": "function", "function": {"name": "C", "parameters": {"type": "object", "properties": {}}}}]);
    let path = folder.path().join("tools.json");
    std::fs::write(&path, tools.to_string()).unwrap();
    let talk = |lines: &str, more: &[&str]| {
        let command = [&["chat", &model, "--max-new-tokens", "60", "--param", "do_sample=false"], more].concat();
        let output = program.run(&command, lines.as_bytes());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let generate = TextGeneration::from_pretrained(&model).unwrap();
    let generation = json!({"do_sample": false, "max_new_tokens": 60}).as_object().cloned().unwrap();
    let parts = |messages: &Value, tools: Option<&Value>| {
        let chat = ChatOptions { tools: tools.and_then(Value::as_array).cloned(), ..ChatOptions::default() };
        let options = text_generation::Options { generation: generation.clone(), chat, ..Default::default() };
        let mut parts = generate.stream_parts(messages.as_array().unwrap(), &options).unwrap();
        let shown: Vec<Part> = parts.by_ref().map(|part| part.unwrap()).collect();
        let answer = parts.answer().clone();
        let joined = |pick: fn(&Part) -> Option<&str>| shown.iter().filter_map(pick).collect::<String>();
        assert_eq!(joined(|part| if let Part::Content(text) = part { Some(text) } else { None }), answer.content);
        let reasoning = joined(|part| if let Part::Reasoning(text) = part { Some(text) } else { None });
        assert_eq!(reasoning, answer.reasoning_content.clone().unwrap_or_default());
        let whole = text_generation::Prompt::Chat(messages.as_array().unwrap());
        let whole = generate.run_many(&[whole], &options).unwrap().swap_remove(0).unwrap().swap_remove(0);
        assert_eq!(Answer::from_message(&generate.message(&whole, &options).unwrap()).tool_calls, answer.tool_calls);
        answer
    };
    let line = |answer: &Answer| {
        let calls: Vec<String> =
            answer.tool_calls.iter().map(|call| format!("{}({})", call.name, Value::from(call.arguments.clone()))).collect();
        std::iter::once(answer.content.clone()).chain(calls).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n") + "\n"
    };
    let asked = json!([{"role": "user", "content": "Where is the tower?"}]);
    let first = parts(&asked, None);
    assert!(first.reasoning_content.is_some() && first.tool_calls.len() > 1);
    let (out, err) = talk("Where is the tower?\n", &[]);
    assert_eq!(out, line(&first));
    assert!(err.contains(first.reasoning_content.as_deref().unwrap().trim()), "{err}");

    let path = path.to_str().unwrap();
    // Of several questions one has a call; its tool is asked for next.
    let questions = ["Where is the tower?", "Who?", "Why?", "Hi", "a", "Where?", "No.", "What is 2?"];
    let calling = questions.iter().find_map(|question| {
        let asked = json!([{"role": "user", "content": question}]);
        let answer = parts(&asked, Some(&tools));
        (answer.tool_calls.len() == 1 || answer.tool_calls.len() == 2).then_some((*question, answer))
    });
    let (question, answer) = calling.expect("an answer with a call");
    let results: Vec<String> = (0..answer.tool_calls.len()).map(|nth| format!("result {nth}")).collect();
    let (out, _) = talk(&format!("{question}\n{}\n/tools\n", results.join("\n")), &["--tools", path]);
    let mut called = answer.clone();
    for (nth, call) in called.tool_calls.iter_mut().enumerate() {
        call.id = Some(format!("call{:05}", 1 + nth));
    }
    let mut messages = vec![json!({"role": "user", "content": question}), called.to_message()];
    for (call, result) in called.tool_calls.iter().zip(&results) {
        messages.push(json!({"role": "tool", "name": call.name, "content": result, "tool_call_id": call.id}));
    }
    let second = parts(&Value::from(messages), Some(&tools));
    assert_eq!(out, line(&answer) + &line(&second));

    std::fs::write(path, "{}").unwrap();
    program.fails(&["chat", &model, "--tools", path], b"", &["--tools", "not a JSON list"]);
    std::fs::write(path, "[1]").unwrap();
    program.fails(&["chat", &model, "--tools", path], b"", &["--tools", "entry 0"]);
}

/// Variables of the chat template are as good as in the pipeline.
#[test]
fn a_chat_takes_variables_of_its_template() {
    let program = Program::new();
    let model = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let talk = |more: &[&str]| {
        let command = [&["chat", &model, "--max-new-tokens", "60", "--param", "do_sample=false"], more].concat();
        let output = program.run(&command, b"Where is the tower?\n");
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (thinking, quick) = (talk(&[]), talk(&["--chat-template-kwarg", "enable_thinking=false"]));
    assert!(!thinking.1.trim().is_empty() && thinking.0 != quick.0, "{thinking:?} {quick:?}");
    program.fails(&["chat", &model, "--chat-template-kwarg", "enable_thinking"], b"", &["--chat-template-kwarg", "key=value"]);
}

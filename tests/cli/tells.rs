//! What the program tells beside answers: tokens, times, cards.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use formers::hub;
use serde_json::{Value, json};

use crate::program::{CLASSIFIER, Program, copy, golden, text};

/// As Python's tokenizers answer (`scripts/goldens/text_tokenizers.py`).
#[test]
fn tokens_are_those_of_python() {
    let program = Program::new();
    let mut checked = 0;
    for name in ["bert_v5", "albert_v5", "bart_v4", "bert_slow", "t5_v5", "gpt2_v5", "llama_v5"] {
        let folder = golden("tokenizers").join(name);
        let Ok(golden) = fs::read(folder.join("tokens.json")) else { continue };
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        let plain = |case: &&Value| {
            let known = ["text", "pair", "windows", "decoded", "skipped"];
            case["text"].as_str().is_some_and(|text| text.len() > 3 && !text.contains('\0'))
                && case.as_object().unwrap().keys().all(|key| known.contains(&key.as_str()))
        };
        for case in golden["cases"].as_array().unwrap().iter().filter(plain).take(4) {
            let mut arguments = vec!["tokenize", "--json", "-m", folder.to_str().unwrap(), "--", case["text"].as_str().unwrap()];
            arguments.extend(case["pair"].as_str());
            let ours = program.json(&arguments, b"");
            let window = &case["windows"][0];
            assert_eq!((&ours["ids"], &ours["tokens"]), (&window["ids"], &window["tokens"]), "{name}: {case}");
            assert_eq!(ours["count"], window["ids"].as_array().unwrap().len());
            let special: String = ours["special_tokens_mask"].as_array().unwrap().iter().map(Value::to_string).collect();
            assert_eq!(json!(special), window["special"], "{name}: {case}");
            assert_eq!(ours.get("offsets").is_some(), golden["fast"] == true, "{name}");
            if golden["fast"] == true {
                assert_eq!((&ours["offsets"], &ours["word_ids"]), (&window["offsets"], &window["words"]), "{name}: {case}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 12, "{checked}");
}

#[test]
fn tokens_for_people() {
    let program = Program::new();
    let model = golden("tokenizers/bert_v5").to_str().unwrap().to_owned();
    let tokenize = |arguments: &[&str], stdin: &[u8]| text(&program.run(&[&["tokenize", "-m", &model], arguments].concat(), stdin).stdout);
    let shown = tokenize(&["Hi"], b"");
    assert!(shown.starts_with("id ") && shown.contains("\"[CLS]\"") && shown.contains("special"), "{shown}");
    let count: usize = tokenize(&["Hi", "--count"], b"").trim().parse().unwrap();
    assert!(shown.ends_with(&format!("\n{count} tokens of 128 that the model takes\n")), "{shown}");
    assert_eq!(tokenize(&["Hi", "--count", "--no-special-tokens"], b"").trim(), (count - 2).to_string());
    assert_eq!(tokenize(&["-", "--count"], b"Hi\n").trim(), count.to_string());
    assert!(tokenize(&[&"word ".repeat(400)], b"").contains("more than the 128 that the model takes"));
    program.fails(&["tokenize", "-m", &model, "-", "-"], b"", &["only once"]);
    let model = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let chat = program.json(&["tokenize", "-m", &model, "--chat", "--json", r#"[{"role": "user", "content": "Hi"}]"#], b"");
    let plain = program.json(&["tokenize", "-m", &model, "--json", "Hi"], b"");
    assert!(chat["count"].as_u64().unwrap() > plain["count"].as_u64().unwrap() + 2);
    program.fails(&["tokenize", "-m", &model, "--chat", "Hi"], b"", &["not a JSON list of messages"]);
}

#[test]
fn what_is_cut_off_and_how_long_it_took() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let told = |task: &str, model: &str, arguments: &[&str]| {
        let output = program.run(&[&["run", task, "-m", model], arguments].concat(), b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let long = "word ".repeat(200);
    let cut = ["-p", "truncation=true"];
    let notes = told("text-classification", &model, &[&[&*long, "-v"], &cut[..]].concat());
    assert!(notes.contains("note: 128 of 802 tokens are read, the others were cut off: \"word word"), "{notes}");
    assert!(notes.contains("loaded in ") && notes.contains(": 128 tokens read, ") && notes.contains(" tokens/s"), "{notes}");
    assert_eq!(told("text-classification", &model, &[&[&*long], &cut[..]].concat()), "");
    assert!(!told("text-classification", &model, &[&["word", "-v"], &cut[..]].concat()).contains("cut off"));

    // In the tasks that cut by themselves.
    let sentences = golden("bert/sentence_mean").to_str().unwrap().to_owned();
    assert!(told("feature-extraction", &sentences, &[&long, "-p", "pooling=model", "-v"]).contains("cut off"));
    let entities = golden("bert/token_classification").to_str().unwrap().to_owned();
    assert!(told("token-classification", &entities, &[&long, "-v"]).contains("cut off"));
    assert!(
        !told("token-classification", &entities, &[&long, "-v", "-p", "stride=10", "-p", "aggregation_strategy=simple"])
            .contains("cut off")
    );

    let writer = golden("generate/models/gpt2/causal_lm").to_str().unwrap().to_owned();
    let notes = told("text-generation", &writer, &["Once", "-p", "max_new_tokens=5", "-p", "do_sample=false", "-v"]);
    assert!(notes.contains(" tokens read, ") && notes.contains(" written, "), "{notes}");
    let notes = told("text-classification", &model, &["a", "--dtype", "int8", "-v"]);
    assert!(notes.contains("weights of model converted in "), "{notes}");
}

/// `int8` and `q8` are one type, and have one entry among the models that were converted.
#[test]
fn two_names_of_one_type() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |model: &str, dtype: &str| program.json(&["run", "text-classification", "-m", model, "--dtype", dtype, "a"], b"");
    assert_eq!(run(&model, "int8"), run(&model, "q8"));
    let entries = fs::read_dir(program.folder.path().join("converted"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(entries.count(), 1);
    for (written, read) in [("int8", "q8"), ("q8", "int8")] {
        let out = program.folder.path().join(written);
        let out = out.to_str().unwrap();
        program.json(&["convert", &model, out, "--dtype", written, "--json"], b"");
        let _ = fs::remove_file(Path::new(out).join("model.safetensors"));
        assert_eq!(run(out, read), run(out, written));
        let blocks = program.folder.path().join(format!("{written}-blocks"));
        program.json(&["convert", &model, blocks.to_str().unwrap(), "--dtype", written, "--block-size", "16", "--json"], b"");
    }
}

#[test]
fn what_a_card_says() {
    let program = Program::new();
    let model = copy(CLASSIFIER, program.folder.path());
    let info = program.json(&["info", &model, "--json"], b"");
    assert_eq!((&info["card"], &info["gated"]), (&Value::Null, &Value::Null));
    let card = "---\nlanguage: [en, no]\nlicense: apache-2.0\npipeline_tag: text-classification\nwidget:\n- text: I like it\n  example_title: Good\n---\n# A model\n";
    fs::write(Path::new(&model).join("README.md"), card).unwrap();
    let info = program.json(&["info", &model, "--json"], b"");
    assert_eq!(info["card"]["license"], "apache-2.0");
    assert_eq!((&info["card"]["languages"], &info["card"]["task"]), (&json!(["en", "no"]), &json!("text-classification")));
    assert_eq!(info["card"]["widget"], json!([{"text": "I like it", "example_title": "Good"}]));
    let shown = text(&program.run(&["info", &model], b"").stdout);
    for row in ["licence       apache-2.0", "languages     en, no", "made for      text-classification", "example       I like it"] {
        assert!(shown.contains(row), "{row}: {shown}");
    }
    fs::write(Path::new(&model).join("README.md"), "---\nlicense: [\n---\n").unwrap();
    let info = program.json(&["info", &model, "--json"], b"");
    assert!(info["card"].is_null() && info["problems"][0].as_str().unwrap().contains("model card"), "{}", info["problems"]);
}

/// Answers one request with this, and tells what it was.
fn answering(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let request = lines.next().unwrap();
        assert!(lines.any(|line| line.is_empty()));
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    (address, served)
}

#[test]
fn the_hub_says_whether_a_model_is_gated() {
    let options = |endpoint: String| hub::Options { endpoint: Some(endpoint), offline: Some(false), ..hub::Options::default() };
    let (endpoint, served) = answering(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"gated\": \"manual\", \"private\": false, \"pipeline_tag\": \"fill-mask\"}",
    );
    let about = hub::about("ada/tiny", &options(endpoint)).unwrap().unwrap();
    assert_eq!((about.gated.as_deref(), about.pipeline_tag.as_deref()), (Some("manual"), Some("fill-mask")));
    assert_eq!(served.join().unwrap(), "GET /api/models/ada/tiny HTTP/1.1");
    for answer in ["HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nno JSON"] {
        let (endpoint, served) = answering(answer);
        assert!(hub::about("ada/tiny", &options(endpoint)).is_err());
        served.join().unwrap();
    }
    let offline = hub::Options { offline: Some(true), ..options("http://127.0.0.1:9".into()) };
    assert_eq!(hub::about("ada/tiny", &offline), Ok(None));
    let folder = golden(CLASSIFIER);
    assert_eq!(hub::about(folder.to_str().unwrap(), &options("http://127.0.0.1:9".into())), Ok(None));
}

/// Other crates have words of their own for it, which are not for people.
#[test]
fn a_hub_that_cannot_be_reached_is_one_line() {
    let program = Program::new();
    for arguments in [&["info", "ada/none"][..], &["run", "text-classification", "a", "-m", "ada/none", "-v"], &["download", "ada/none"]] {
        let mut command = program.command(arguments);
        command.env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", "http://127.0.0.1:9");
        let output = crate::program::output(command, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0));
        let told = text(&output.stderr);
        assert!(told.lines().count() == 1 && told.starts_with("error: ada/none: "), "{told}");
    }
}

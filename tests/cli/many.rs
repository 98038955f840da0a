//! Several inputs, of which some are wrong; exit codes; errors for programs.

use std::{fs, path::Path};

use formers::pipelines::TASKS;
use serde_json::{Value, json};

use crate::{
    goldens::{checkpoints, json as document, media, same},
    program::{CLASSIFIER, Program, copy, golden, text},
};

/// In every task: what is wrong with one input is its own error, and the others have the answers that they have in a list.
#[test]
fn every_task_answers_each_input_and_takes_a_batch_size() {
    for task in TASKS {
        let folders = checkpoints();
        let fits = |case: &&Value| {
            case["task"] == task.id && case.get("error").is_none() && !case["inputs"].is_array() && !case["inputs"].is_null()
        };
        let alone = |case: &&Value| case["parameters"].get("questions").is_none() && case["parameters"].get("offset_mapping").is_none();
        let found = folders.iter().find_map(|folder| {
            let golden = document(&folder.join("golden.json"));
            let case = golden["cases"].as_array()?.iter().find(|case| fits(case) && alone(case)).cloned()?;
            // Objects with lists are several inputs.
            (!case["inputs"]["question"].is_array()).then(|| (folder.clone(), case))
        });
        let (folder, case) = found.unwrap_or_else(|| panic!("no golden for {}", task.id));
        let (input, mut parameters) = (media(&folder, &case["inputs"]), case["parameters"].clone());
        if !parameters.is_object() {
            parameters = json!({});
        }
        let pipeline = formers::pipeline(task.id, formers::Options::new(folder.to_str().unwrap())).unwrap();
        let whole = pipeline.call(&json!([input, input]), &parameters).unwrap();
        parameters["batch_size"] = json!(1);
        let answers = pipeline.call_many(&[input.clone(), json!(7), input.clone()], &parameters).unwrap();
        assert_eq!(answers.len(), 3, "{}", task.id);
        assert!(answers[1].is_err(), "{}: {:?}", task.id, answers[1]);
        for (place, answer) in [(0, &answers[0]), (1, &answers[2])] {
            same(&whole[place], answer.as_ref().unwrap(), task.id).unwrap();
        }
        parameters["batch_size"] = json!(0);
        let error = pipeline.call(&input, &parameters).unwrap_err().to_string();
        assert!(error.contains("batch_size"), "{}: {error}", task.id);
    }
}

#[test]
fn inputs_that_fail_have_their_errors_in_their_places() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |arguments: &[&str], stdin: &str| {
        program.run(&[&["run", "text-classification", "-m", &model], arguments].concat(), stdin.as_bytes())
    };
    let good = program.json(&["run", "text-classification", "-m", &model, "a", "b"], b"");

    let output = run(&["-r", "-"], r#"{"inputs": ["a", null, "b", 7]}"#);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer[0], &answer[2]), (&good[0], &good[1]));
    let error = |kind: &str, at: usize| json!({"error": {"kind": "request", "message": format!("inputs: expected a string or an object {{\"text\", \"text_pair\"}}, not {kind}"), "input": at}});
    assert_eq!((&answer[1], &answer[3]), (&error("null", 1), &error("a number", 3)));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("error: 2 of 4 inputs failed, the first: inputs[1]: expected a string") && told.lines().count() == 1,
        "{told}"
    );

    // All of them, too; but a single one is an error, also as the only one of a list.
    assert_eq!(run(&["-r", "-"], r#"{"inputs": [1, 2]}"#).status.code(), Some(3));
    for request in [r#"{"inputs": 7}"#, r#"{"inputs": [7]}"#] {
        let output = run(&["-r", "-"], request);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", text(&output.stderr));
    }
    // What is wrong with the parameters is wrong with all.
    let output = run(&["a", "b", "-p", "top_k=x"], "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", text(&output.stderr));

    // Lines have their numbers.
    let output = program.run(&["run", "text-classification", "-m", &model, "-"], b"a\nx\xff\nb\n");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        answer[1],
        json!({"error": {"kind": "request", "message": "byte 1 is not UTF-8", "input": 1, "file": "standard input", "line": 2}})
    );
    assert_eq!((&answer[0], &answer[2]), (&good[0], &good[1]));

    // The questions of one object.
    let reader = golden("bert/question_answering").to_str().unwrap().to_owned();
    let request = br#"{"inputs": {"question": ["Who?", ""], "context": "Ada wrote it."}}"#;
    let output = program.run(&["run", "question-answering", "-m", &reader, "-r", "-"], request);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(answer[0]["answer"].is_string() && answer[1]["error"]["message"] == "inputs.question: empty", "{answer}");

    // A picture that is none among pictures.
    let vit = golden("vit/image_classification").to_str().unwrap().to_owned();
    let picture = fs::read_dir(golden("media"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "png"))
        .unwrap();
    let output = program.run(&["run", "image-classification", "-m", &vit, "/no/such.png", picture.to_str().unwrap()], b"");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer[0]["error"]["message"].as_str().unwrap().contains("/no/such.png") && answer[1].is_array(), "{answer}");
    assert_eq!(answer[0]["error"]["file"], "/no/such.png");
    assert_eq!(text(&output.stderr).matches("/no/such.png").count(), 1, "{}", text(&output.stderr));
}

/// The table of `formers --help`.
#[test]
fn exit_codes_say_of_what_kind_an_error_is() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let code = |arguments: &[&str]| program.run(arguments, b"").status.code();
    let run = ["run", "text-classification", "-m", &model];
    let with = |more: &[&str]| code(&[&run[..], more].concat());
    assert_eq!(with(&["a"]), Some(0));
    assert_eq!(code(&["--help"]), Some(0));

    assert_eq!(with(&["a", "--cheese"]), Some(2));
    assert_eq!(code(&["run", "no-such-task", "a"]), Some(2));
    assert_eq!(with(&[]), Some(2));
    assert_eq!(with(&["a", "-p", "top_kk=1"]), Some(2));
    assert_eq!(with(&["-r", "/no/such/request.json"]), Some(2));
    let vit = golden("vit/image_classification").to_str().unwrap().to_owned();
    assert_eq!(code(&["run", "image-classification", "-m", &vit, "/no/such.png"]), Some(2));
    assert_eq!(code(&["run", "image-classification", "-m", &vit, &format!("{model}/config.json")]), Some(2));

    assert_eq!(code(&["run", "text-classification", "-m", "/no/such/folder", "a"]), Some(4));
    assert_eq!(code(&["run", "fill-mask", "-m", &model, "a"]), Some(4));
    let damaged = copy(CLASSIFIER, program.folder.path());
    fs::write(Path::new(&damaged).join("config.json"), "{").unwrap();
    assert_eq!(code(&["run", "text-classification", "-m", &damaged, "a"]), Some(4));
    assert_eq!(code(&["run", "text-classification", "-m", "ada/none", "a"]), Some(5));

    let mut command = program.command(&[&run[..], &["a"]].concat());
    assert_eq!(command.env("ORT_DYLIB_PATH", "/no/libonnxruntime.so").output().unwrap().status.code(), Some(1));
    let help = text(&program.run(&["--help"], b"").stdout);
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 "] {
        assert!(help.contains(&format!("\n  {code}")), "{code}: {help}");
    }
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = ["run", "text-classification", "-m", &model];
    for (arguments, code, kind, part) in [
        (&["run", "text-classification", "-m", "/no/such/folder", "a", "--json"][..], 4, "not_found", "/no/such/folder"),
        (&[&run[..], &["a", "--json", "-p", "top_kk=1"]].concat(), 2, "request", "top_kk"),
        (&[&run[..], &["a", "--jsonl", "-p", "top_kk=1"]].concat(), 2, "request", "top_kk"),
        (&[&run[..], &["a", "--json", "--cheese"]].concat(), 2, "usage", "--cheese"),
        (&["info", "ada/none", "--json"], 5, "offline", "ada/none"),
    ] {
        let output = program.run(arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["error"]["kind"], kind, "{document}");
        assert!(document["error"]["message"].as_str().unwrap().contains(part), "{document}");
        assert!(text(&output.stderr).starts_with("error: "));
    }
    // An option's value and what stands behind -- ask for nothing.
    let output = program.run(&[&run[..], &["-p", "top_kk=1", "--", "--json"]].concat(), b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    // A report that is out already is the only document.
    let mut command = program.command(&["doctor", "--offline", "--json"]);
    let output = command.env("ORT_DYLIB_PATH", "/no/libonnxruntime.so").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["problems"].is_array());
}

#[test]
fn names_that_are_misspelt() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let fails = |arguments: &[&str], part: &str| program.fails(arguments, b"", &[part]);
    fails(&["run", "text-clasification", "a"], "(did you mean \"text-classification\"?)");
    fails(&["tasks", "sumarization"], "(did you mean \"summarization\"?)");
    fails(
        &["run", "text-classification", "-m", &model, "a", "-p", "topk=1"],
        "parameters.topk: this task has no such parameter (did you mean \"top_k\"?)",
    );
    fails(&["run", "text-classification", "-m", &model, "a", "--dtype", "int-8"], "(did you mean \"int8\"?)");
    for (theirs, ours) in [("float16", "fp16"), ("torch.float32", "fp32"), ("Q4_K_M", "q4")] {
        fails(&["run", "text-classification", "-m", &model, "a", "--dtype", theirs], &format!("(did you mean {ours:?}?)"));
    }
    fails(&["run", "text-classification", "-m", &model, "a", "--device", "cdua"], "(did you mean \"cuda\"?)");
    let snapshot = program.folder.path().join("hub/models--ada--tiny-bert/snapshots").join("c0ffee".repeat(7).get(..40).unwrap());
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("config.json"), "{}").unwrap();
    for command in [
        &["run", "text-classification", "a", "-m", "ada/tinybert"][..],
        &["info", "ada/tiny-bart"],
        &["tokenize", "a", "-m", "ada/tiny-bertt"],
    ] {
        fails(command, "did you mean \"ada/tiny-bert\", which is in the cache?");
    }
    fails(&["info", "tiny-bert"], "did you mean \"ada/tiny-bert\", which is in the cache?");
    // What people bring from other programs.
    for (command, part) in [
        ("fill-mask", "there is no command fill-mask: it is a task, `formers run fill-mask`"),
        ("sentiment-analysis", "`formers run text-classification`"),
        ("pull", "there is no command pull: `formers download` does that"),
        ("serve", "there is no command serve: "),
        ("cheese", "unrecognized subcommand 'cheese'"),
    ] {
        fails(&[command, "x"], part);
    }
    for (parameter, part) in [
        (
            "return_all_scores=true",
            "parameters.return_all_scores: this task has no such parameter: top_k stands for it (null gives all scores)",
        ),
        ("device=0", "it is said when the model is loaded (--device, `SessionOptions::device`)"),
        ("trust_remote_code=true", "it has no meaning here: leave it out"),
    ] {
        fails(&["run", "text-classification", "-m", &model, "a", "-p", parameter], part);
    }
    let writer = golden("generate/models/gpt2/causal_lm").to_str().unwrap().to_owned();
    for (parameter, part) in [
        ("max_tokens=5", "here it is called max_new_tokens"),
        ("stop=x", "here it is called stop_strings"),
        ("response_format={}", "json_schema stands for it (the schema itself)"),
    ] {
        fails(&["run", "text-generation", "-m", &writer, "a", "-p", parameter], part);
    }
}

/// What the checkpoint is, and what it can do.
#[test]
fn a_task_that_a_checkpoint_cannot_do() {
    let program = Program::new();
    for (task, model, parts) in [
        ("text-classification", "bert/masked_lm", &["this checkpoint is BertForMaskedLM: it can do fill-mask, feature-extraction"][..]),
        ("image-classification", "bert/masked_lm", &["this checkpoint is BertForMaskedLM: it can do fill-mask"]),
        (
            "text-classification",
            "vit/image_classification",
            &["this checkpoint is ViTForImageClassification: it can do image-classification"],
        ),
        (
            "text-generation",
            "generate/models/t5/seq2seq",
            &["this checkpoint is T5ForConditionalGeneration: it can do summarization, text2text-generation, translation"],
        ),
        ("text-ranking", "bert/sequence_classification", &["one class, not 3", "it can do text-classification"]),
    ] {
        let model = golden(model).to_str().unwrap().to_owned();
        program.fails(&["run", task, "a", "b", "-m", &model], b"", parts);
    }
}

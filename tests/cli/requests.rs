//! What a task is asked, by requests and by arguments.

use std::fs;

use formers::pipelines::TASKS;
use serde_json::{Value, json};

use crate::{
    goldens::{checkpoints, media, same},
    program::{CLASSIFIER, Program, golden, text},
};

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
fn a_decision_is_asked_in_one_line() {
    let program = Program::new();
    let model = golden("generate/models/qwen3/decision").to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| program.json(&[&["run", "decision", "--model", &model], arguments].concat(), b"");
    let questions = json!({ "refund": { "type": "noul", "instructions": "Is a refund requested?" } });
    let whole = run(&[&json!({ "state": "I want it back.", "questions": questions }).to_string()]);
    assert!(whole["refund"]["noul"].is_f64(), "{whole}");
    let asked = format!("questions={questions}");
    assert_eq!(run(&["I want it back.", "--param", &asked]), whole);
    let both = run(&["I want it back.", "Hi", "--param", &asked]);
    assert_eq!(both.as_array().unwrap().len(), 2);
    same(&whole, &both[0], "answer").unwrap();

    let fails = |arguments: &[&str], part: &str| {
        program.fails(&[&["run", "decision", "--model", &model, "Hi"], arguments].concat(), b"", &[part]);
    };
    fails(&[], "inputs: not JSON");
    fails(
        &["--param", "questions={\"q\": {\"type\": \"maybe\"}, \"r\": 1}"],
        "inputs.questions: \"q\": type must be noul, choice or score",
    );
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
/// A server that takes connections and never answers is waited for as long as `timeout` says.
#[test]
fn media_have_a_timeout() {
    let program = Program::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    for (task, model) in [("image-classification", "vit/image_classification"), ("automatic-speech-recognition", "wav2vec2/ctc")] {
        let model = golden(model).to_str().unwrap().to_owned();
        let before = std::time::Instant::now();
        program.fails(&["run", task, "--model", &model, &url, "-p", "timeout=0.3"], b"", &[&url, "within 300ms"]);
        assert!(before.elapsed().as_secs() < 20, "{task}: {:?}", before.elapsed());
        program.fails(&["run", task, "--model", &model, &url, "-p", "timeout=-1"], b"", &["parameters.timeout", "no number of seconds"]);
    }
}

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
    program.fails(&["chat", &decoder, "--tools", tools.to_str().unwrap()], b"", &["tools.json", "not valid JSON"]);
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
fn tasks_and_their_parameters() {
    let program = Program::new();
    let tasks = program.json(&["tasks", "--json"], b"");
    let ids: Vec<&str> = tasks.as_array().unwrap().iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(ids, TASKS.iter().map(|task| task.id).collect::<Vec<_>>());
    assert_eq!(program.json(&["tasks", "ner", "--json"], b"")["task"], "token-classification");
    assert!(text(&program.run(&["tasks", "ner"], b"").stdout).contains("aggregation_strategy"));
}

/// What somebody wrote by mistake is named, with what to write instead.
#[test]
fn mistakes_are_told_with_what_to_do() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |arguments: &[&str], stdin: &[u8]| program.run(&[&["run", "text-classification", "-m", &model], arguments].concat(), stdin);
    let file = program.folder.path().join("a.txt");
    fs::write(&file, "good").unwrap();
    let file = file.to_str().unwrap();
    let folder = program.folder.path().join("some texts");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let blank = &format!("{folder}/b c.txt");
    fs::write(blank, "good").unwrap();
    let cases: &[(&[&str], &[u8], i32, &str)] = &[
        (&["a", "-p", "=3"], b"", 2, "--param =3: expected key=value"),
        (&["a", "-p", "top_k=@no-such-file"], b"", 2, "--param top_k: no-such-file: "),
        (&["a", "-p", "batch_size=0"], b"", 2, "expected a whole number from 1 on"),
        (&["-"], b"", 2, "no inputs: standard input"),
        (&["-", "--jsonl-input", "--json"], b"plain text\n", 2, "a text stands in quotes, or leave out --jsonl-input"),
        (&["a", "--save", "a.png"], b"", 2, "has no picture and no sound"),
        (&[file], b"", 0, "is answered as a text, not what lies there"),
        (&["no-such-folder/"], b"", 0, "is answered as a text, not what lies there"),
        (&[blank], b"", 0, "is answered as a text, not what lies there; - reads texts"),
        (&["docs"], b"", 0, "is answered as a text, not what lies there; a folder is written with a / at its end"),
        (&[&model, "good"], b"", 2, "is the folder of a model, which is named by --model"),
        (&["-r", "{\"inputs\": \"a\"}"], b"", 2, "there is no such file; JSON itself comes from standard input, for -"),
        (&["a", "-p", " top_k =1"], b"", 0, ""),
        // As Python writes it.
        (&["a", "-p", "truncation=True", "-p", "top_k=None"], b"", 0, ""),
        (
            &["a", "-p", "function_to_apply={'a'}"],
            b"",
            2,
            "warning: --param function_to_apply: {'a'} is taken as a text, since it is not valid JSON",
        ),
        (&["-", "--jsonl"], b"", 0, ""),
        (&["either/or", "and so on..", "a/"], b"", 0, "\"a/\" is answered as a text"),
    ];
    for (arguments, stdin, code, part) in cases {
        let output = run(arguments, stdin);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {error}");
        assert!(error.contains(part) && (!part.is_empty() || error.is_empty()), "{arguments:?}: {error}");
    }
    for plain in [&["either/or"][..], &["good film"], &["a.txt"]] {
        let output = run(plain, b"");
        assert!(output.status.success() && output.stderr.is_empty(), "{plain:?}: {}", text(&output.stderr));
    }
    assert_eq!(program.run(&["tasks", "text-clasification"], b"").status.code(), Some(2));
    let decoder = golden("generate/models/qwen2/causal_lm").to_str().unwrap().to_owned();
    program.fails(&["chat", &decoder, "-p", "temprature=1"], b"Hi\n", &["did you mean \"temperature\"?"]);
}

#[test]
fn a_dash_is_standard_output() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    for more in [&[][..], &["--jsonl"]] {
        let run = |output: &[&str]| {
            let mut command = program.command(&[&["run", "text-classification", "-m", &model, "good", "bad"], more, output].concat());
            command.current_dir(program.folder.path());
            crate::program::output(command, b"").stdout
        };
        assert_eq!(run(&["--output", "-"]), run(&[]));
        assert!(!program.folder.path().join("-").exists());
    }
}

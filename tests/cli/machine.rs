//! The machine around: libraries, devices, folders, caches and streams.

use std::{fs, path::Path, process::Stdio};

use serde_json::json;

use crate::program::{CLASSIFIER, Program, fails, golden, output, text};

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

//! The machine around: libraries, devices, folders, caches and streams.

use std::{
    fs,
    io::{BufRead, Read, Write},
    path::Path,
    process::Stdio,
};

use serde_json::json;

#[cfg(target_os = "linux")]
use crate::program::filtered;
use crate::program::{CLASSIFIER, Program, copy, fails, golden, output, text};

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

/// What the system would end the program for is an error line that names the file.
#[cfg(target_os = "linux")]
#[test]
fn files_that_grow_too_large_or_become_shorter() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let out = program.folder.path().join("out");
    let mut limited = program.command(&[]);
    limited = {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -f 1; exec \"$0\" convert \"$1\" \"$2\""]).args([limited.get_program(), model.as_ref(), out.as_ref()]);
        shell
    };
    fails(limited, b"", &["out", "File too large"]);
    assert!(!out.exists() && fs::read_dir(program.folder.path()).unwrap().count() == 0);

    // ONNX Runtime maps the weights, and looks at them in each run.
    let model = copy("generate/models/qwen3/chat", program.folder.path());
    for (arguments, cut) in [(&["--no-mmap"][..], false), (&[], true)] {
        let weights = Path::new(&model).join("model.safetensors");
        fs::copy(golden("generate/models/qwen3/chat/model.safetensors"), &weights).unwrap();
        let mut command = program.command(&[&["chat", &model, "--max-new-tokens", "2"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut said, mut answers) = (child.stdin.take().unwrap(), std::io::BufReader::new(child.stdout.take().unwrap()));
        said.write_all(b"hi\n").unwrap();
        answers.read_line(&mut String::new()).unwrap();
        fs::File::options().write(true).open(&weights).unwrap().set_len(0).unwrap();
        let _ = said.write_all(b"again\n");
        drop(said);
        let mut rest = String::new();
        answers.read_to_string(&mut rest).unwrap();
        let ended = child.wait_with_output().unwrap();
        let error = text(&ended.stderr);
        if cut {
            assert_eq!(ended.status.code(), Some(1), "{error}");
            assert!(error.contains("model.safetensors: the file was cut short") && error.contains("error: /"), "{error}");
        } else {
            assert!(ended.status.success() && !rest.is_empty(), "{error}");
        }
    }
}

/// A limit that leaves no room for so many threads is no reason to wait for ever.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_the_system_refuses() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |limit: &str, threads: &str| {
        let mut shell = std::process::Command::new("sh");
        let script =
            format!("ulimit {limit}; exec timeout -s KILL 60 \"$0\" run text-classification --model \"$1\" a --json --threads {threads}");
        shell.args(["-c", &script]).args([program.command(&[]).get_program(), model.as_ref()]);
        output(shell, b"")
    };
    let expected = run("-v unlimited", "1").stdout;
    let refused = run("-v 2000000", "256");
    assert_eq!((refused.status.code(), &refused.stdout), (Some(0), &expected), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).starts_with("warning: 1 threads in place of 256: "), "{}", text(&refused.stderr));
    let many = run("-v unlimited", "5000");
    assert_eq!((many.status.code(), &many.stdout), (Some(0), &expected), "{}", text(&many.stderr));
}

/// What unpacks to more than there is memory for is an error of its own, not the end of the program.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_the_system_refuses() {
    let program = Program::new();
    let [picture, sound] = ["large.bmp", "long.wav"].map(|name| program.folder.path().join(name));
    // A bitmap of 13377 x 13377 packed pixels of a byte, of which there are none.
    let mut header = b"BM".to_vec();
    let fields = [0, 0, 54 + 1024, 40, 13377, 13377, 1 | 8 << 16, 1, 0, 0, 0, 256, 0];
    header.extend(fields.iter().flat_map(|field: &u32| field.to_le_bytes()));
    header.resize(54 + 1024 + 64, 0);
    fs::write(&picture, header).unwrap();
    // Forty million samples, a byte each, at 4000 Hz.
    let length = 40_000_000_u32;
    let mut header = [b"RIFF", &(length + 36).to_le_bytes()[..], b"WAVEfmt "].concat();
    header.extend([16, 1 | 1 << 16, 4000, 4000, 1 | 8 << 16].iter().flat_map(|field: &u32| field.to_le_bytes()));
    header.extend([b"data", &length.to_le_bytes()[..]].concat());
    fs::write(&sound, header).unwrap();
    fs::File::options().write(true).open(&sound).unwrap().set_len(u64::from(length) + 44).unwrap();
    for (task, model, input, says) in [
        ("image-classification", "vit/image_classification", &picture, "memory has no room for an image of 13377x13377 pixels"),
        ("automatic-speech-recognition", "wav2vec2/ctc", &sound, "memory has no room for 10000 seconds of sound"),
    ] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 1500000; exec \"$0\" run \"$1\" \"$2\" --model \"$3\" --threads 1"]);
        shell.arg(program.command(&[]).get_program()).arg(task).args([input, &golden(model)]);
        fails(shell, b"", &[input.to_str().unwrap(), says]);
    }
}

/// Where there is not even one thread, all is done by the first, or it is told what needs another.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_at_all() {
    let program = Program::new();
    let [classifier, images, generator, chat] =
        [CLASSIFIER, "vit/image_classification", "generate/models/llama/causal_lm_wide", "generate/models/qwen3/chat"]
            .map(|name| golden(name).to_str().unwrap().to_owned());
    let pictures = ["rgb.png", "gray.png", "photo.jpg"].map(|name| golden("media").join(name).to_str().unwrap().to_owned());
    let out = program.folder.path().join("out").to_str().unwrap().to_owned();
    let of_pictures = [&["run", "image-classification", "--model", &images][..], &pictures.each_ref().map(String::as_str)].concat();
    for (arguments, code, says) in [
        (&["run", "text-classification", "--model", &classifier, "--dtype", "int8", "a"][..], 0, ""),
        (&["run", "text-generation", "--model", &generator, "--dtype", "q4", "--threads", "4", "-p", "max_new_tokens=2", "a"], 0, ""),
        (&of_pictures, 0, ""),
        (&["convert", &generator, &out, "--dtype", "q4"], 0, ""),
        (&["chat", &chat], 1, "no thread"),
        (&["run", "text-classification", "--model", "ada/none", "a"], 1, "a connection to the Hub"),
        (&["run", "image-classification", "--model", &images, "http://127.0.0.1:9/x.png"], 5, "starts no thread"),
        (&["run", "text-classification", "--model", &classifier, "--time-limit", "60", "a"], 1, "time limit"),
        (&["doctor"], 0, "starts no thread"),
    ] {
        let mut command = program.command(arguments);
        command.env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", "http://127.0.0.1:9");
        // The newer call for a thread is not there; the older one is refused.
        let refused = |errno: i32| libc::SECCOMP_RET_ERRNO | errno as u32;
        let command = filtered(command, &[(libc::SYS_clone3, refused(libc::ENOSYS)), (libc::SYS_clone, refused(libc::EAGAIN))]);
        let output = output(command, b"hi\n");
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(output.status.code() == Some(code) && said.contains(says), "{arguments:?}: {:?}: {said}", output.status);
    }
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
    program.json(&["run", "text-classification", "--model", "ada/tiny", "--dtype", "fp16", "good film"], b"");
    let converted = program.json(&["cache", "list", "--converted", "--json"], b"");
    let about: Vec<_> = converted.as_array().unwrap().iter().map(|c| [&c["model"], &c["dtype"], &c["part"], &c["current"]]).collect();
    assert_eq!(json!(about), json!([["ada/tiny", "fp16", "model", true], ["ada/tiny", "int8", "model", true]]));
    assert!(text(&program.run(&["cache", "list", "--converted"], b"").stdout).starts_with("ada/tiny  fp16"));
    program.fails(&["cache", "remove", "ada/other", "--converted"], b"", &["ada/other: nothing is converted in"]);
    program.fails(&["cache", "remove", "ada/tiny", "--converted", "--dtype", "q4"], b"", &["ada/tiny: nothing is converted to q4 in"]);
    assert_eq!(
        program.json(&["cache", "remove", "ada/tiny", "--converted", "--dtype", "fp16", "--json"], b"")["freed"],
        converted[0]["size"]
    );
    // What is not ours stays.
    fs::write(program.folder.path().join("converted/notes.txt"), "mine").unwrap();
    assert_eq!(program.json(&["cache", "remove", "--converted", "--json"], b"")["freed"], converted[1]["size"]);
    assert_eq!(fs::read_dir(program.folder.path().join("converted")).unwrap().count(), 1);
    assert_eq!(program.json(&["cache", "list", "--converted", "--json"], b""), json!([]));
    assert!(program.json(&["cache", "remove", "ada/tiny", "--json"], b"")["freed"].as_u64().unwrap() > 0);
    program.fails(&["cache", "remove", "ada/tiny"], b"", &["ada/tiny", "not in the cache"]);
}

#[test]
fn the_doctor() {
    let program = Program::new();
    let report = program.json(&["doctor", "--offline", "--json"], b"");
    assert_eq!((&report["onnxruntime"]["ready"], &report["hub"]["offline"]), (&json!(true), &json!(true)));
    assert_eq!(report["caches"].as_array().unwrap().len(), 2);
    assert_eq!(report["onnxruntime"]["telemetry"], json!(false));
    let report = text(&program.run(&["doctor", "--offline", "--cache-dir", "own"], b"").stdout);
    assert!(report.contains("data sent") && report.contains("none: ") && report.contains("own/formers"), "{report}");

    let mut command = program.command(&["doctor", "--offline"]);
    command.env("ORT_DYLIB_PATH", "/no/libonnxruntime.so");
    let output = output(command, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("problem: ") && text(&output.stderr).starts_with("error: models cannot run"));
}

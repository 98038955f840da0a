//! Nothing leaves the machine, and nothing is written but into the two caches.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::program::{CLASSIFIER, Program, filtered, golden, output, text};

/// ONNX Runtime's telemetry is off by itself where one of these is set: in this process it must be the program that turns it off.
const AUTOMATED: &[&str] = &[
    "CI",
    "TF_BUILD",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "CIRCLECI",
    "TRAVIS",
    "JENKINS_URL",
    "CODEBUILD_BUILD_ID",
    "BUILDKITE",
    "TEAMCITY_VERSION",
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "ORT_RUNNING_UNIT_TESTS",
];

/// The program in a home of its own, which asks for telemetry; it runs in an empty folder.
fn at_home(program: &Program, arguments: &[&str]) -> Command {
    let mut command = program.command(arguments);
    for variable in AUTOMATED {
        command.env_remove(variable);
    }
    for (variable, folder) in
        [("HOME", ""), ("XDG_CACHE_HOME", ".cache"), ("XDG_DATA_HOME", ".data"), ("XDG_CONFIG_HOME", ".config"), ("TMPDIR", "tmp")]
    {
        let folder = program.folder.path().join("home").join(folder);
        fs::create_dir_all(&folder).unwrap();
        command.env(variable, folder);
    }
    let here = program.folder.path().join("here");
    fs::create_dir_all(&here).unwrap();
    // The checkout's library is named by a relative path.
    let library = std::env::var_os("ORT_DYLIB_PATH").map(|path| std::path::absolute(path).unwrap());
    command.current_dir(here).envs(library.map(|path| ("ORT_DYLIB_PATH", path))).env("ORT_DISABLE_TELEMETRY", "0");
    command
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn files_are_written_only_into_the_two_caches() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let generator = golden("generate/models/llama/causal_lm_b").to_str().unwrap().to_owned();
    for arguments in [
        &["run", "text-classification", "--model", &model, "a"][..],
        &["run", "text-classification", "--model", &model, "--dtype", "int8", "a"],
        &["run", "text-generation", "--model", &generator, "-p", "max_new_tokens=4", "a"],
        &["run", "text-classification", "--model", "ada/none", "a"],
        &["doctor", "--offline"],
        &["info", &model],
        &["cache", "list", "--converted"],
    ] {
        output(at_home(&program, arguments), b"");
        let allowed = ["hub", "converted"].map(|cache| program.folder.path().join(cache));
        let others: Vec<_> =
            files(program.folder.path()).into_iter().filter(|file| !allowed.iter().any(|cache| file.starts_with(cache))).collect();
        assert_eq!(others, Vec::<PathBuf>::new(), "{arguments:?}");
    }
}

/// The system ends a process that asks for a socket, whatever it is for.
fn without_sockets(command: Command) -> Command {
    filtered(command, &[(libc::SYS_socket, libc::SECCOMP_RET_KILL_PROCESS)])
}

#[test]
fn offline_there_is_no_socket() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    for arguments in [
        &["run", "text-classification", "--model", &model, "a"][..],
        &["run", "text-classification", "--model", "ada/none", "a"],
        &["doctor"],
        &["download", "ada/none"],
    ] {
        let mut command = at_home(&program, arguments);
        command.env("HF_HUB_OFFLINE", "1");
        let output = output(without_sockets(command), b"");
        assert_eq!(output.status.signal(), None, "{arguments:?}: {}", text(&output.stderr));
    }
    // Where the network is allowed, the Hub is asked: such a program is ended here.
    let mut command = at_home(&program, &["doctor"]);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", "http://127.0.0.1:9");
    let asked = output(without_sockets(command), b"");
    assert_eq!(asked.status.signal(), Some(libc::SIGSYS), "{}", text(&asked.stdout));

    // Telemetry looks for its server nine seconds after it began.
    let talker = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let mut command = at_home(&program, &["chat", &talker]);
    command.env("HF_HUB_OFFLINE", "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut waiting = without_sockets(command).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(12));
    drop(waiting.stdin.take());
    assert_eq!(waiting.wait().unwrap().signal(), None);
}

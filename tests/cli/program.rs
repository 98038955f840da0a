//! The program, run in a world of its own.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const CLASSIFIER: &str = "bert/sequence_classification";

/// The program, without the network and with caches of its own.
pub(crate) struct Program {
    pub(crate) folder: TempDir,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_formers"));
        command.args(arguments).env_remove("RUST_LOG").env("HF_HUB_OFFLINE", "1");
        command.env("HF_HUB_CACHE", self.folder.path().join("hub")).env("FORMERS_CACHE", self.folder.path().join("converted"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        output(self.command(arguments), stdin)
    }

    /// The one JSON document that the program prints.
    pub(crate) fn json(&self, arguments: &[&str], stdin: &[u8]) -> Value {
        let output = self.run(arguments, stdin);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&output.stdout)))
    }

    /// That the program fails as it should, with a message that holds these parts.
    pub(crate) fn fails(&self, arguments: &[&str], stdin: &[u8], parts: &[&str]) {
        fails(self.command(arguments), stdin, parts);
    }
}

pub(crate) fn output(mut command: Command, stdin: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails early does not read what it is sent.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn fails(command: Command, stdin: &[u8], parts: &[&str]) {
    let name = format!("{command:?}");
    let output = output(command, stdin);
    let error = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2 | 4 | 5)), "{name}: {:?}: {error}", output.status);
    assert!(output.stdout.is_empty(), "{name}: {}", text(&output.stdout));
    let lines: Vec<&str> = error.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{name}: {error}");
    for part in parts {
        assert!(error.contains(part), "{name}: {part:?} is not in: {error}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn golden(name: &str) -> PathBuf {
    formers_testing::golden(name)
}

/// A copy of a golden checkpoint, to be damaged.
pub(crate) fn copy(name: &str, to: &Path) -> String {
    let folder = to.join(name.replace('/', "-"));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(golden(name)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

pub(crate) fn edit_config(folder: &str, edit: impl FnOnce(&mut Value)) {
    let path = Path::new(folder).join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

/// A command for which the system answers these system calls in another way.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn filtered(mut command: Command, calls: &[(libc::c_long, u32)]) -> Command {
    use std::os::unix::process::CommandExt;

    let one = |code: u32, jump_true, jump_false, k| libc::sock_filter { code: code as u16, jt: jump_true, jf: jump_false, k };
    // The number of the system call is the first field of what it is asked about.
    let mut filter = vec![one(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (call, answer) in calls {
        filter.push(one(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, *call as u32));
        filter.push(one(libc::BPF_RET | libc::BPF_K, 0, 0, *answer));
    }
    filter.push(one(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    // SAFETY: between fork and exec there are two system calls, on memory that lives.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
            let kept = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) == 0;
            if kept { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        })
    };
    command
}

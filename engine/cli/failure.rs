//! How the program fails: one `error:` line on standard error that says what was wrong and what to do, and an exit code that says of what
//! kind it was; with `--json` and `--jsonl` the error is JSON on standard output as well.

use std::{
    fmt, io,
    panic::{self, UnwindSafe},
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use formers::ErrorKind as Kind;
use formers_converters::shortened;
use serde_json::{Map, Value, json};

use super::{interrupt::Signal, output};

/// What exit codes mean, for `--help`.
pub(super) const EXIT_CODES: &str = "Exit codes:
  0    all is well
  1    the machine: ONNX Runtime, a device, memory, a file that cannot be read or written
  2    what was asked: arguments, a request, a parameter, an input that stands alone
  3    some of several inputs failed; each has its error in its place, the others are answered
  4    the model: it is not there, is damaged, or cannot do the task
  5    the Hub: it cannot be reached, or wants a token
  130  interrupted by Ctrl-C (143 by SIGTERM, 129 by SIGHUP)
With --json or --jsonl an error is also printed as JSON: {\"error\": {\"kind\": …, \"message\": …}}";

const MACHINE: u8 = 1;
const ASKED: u8 = 2;
const SOME_FAILED: u8 = 3;
const MODEL: u8 = 4;
const HUB: u8 = 5;
/// As Rust's own programs do.
const BUG: u8 = 101;

/// What was asked is wrong.
pub(super) fn asked(message: impl fmt::Display) -> anyhow::Error {
    formers::Error::new(Kind::Request, message).into()
}

/// What a pipeline says to a call: there, a file that is missing is an input, and what is not supported a parameter.
#[derive(Debug)]
pub(super) struct Called(pub(super) formers::Error);

/// Inputs that failed among others, whose answers and errors are written.
#[derive(Debug)]
pub(super) struct SomeFailed {
    pub(super) failed: u64,
    pub(super) of: u64,
    /// The first of them, with its place.
    pub(super) first: String,
}

/// Ctrl-C, or another signal.
#[derive(Debug)]
pub(super) struct Interrupted {
    pub(super) signal: Signal,
    /// How many inputs were answered before.
    pub(super) answered: u64,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SomeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} inputs failed, the first: {}", self.failed, self.of, self.first)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answered {
            1 => write!(f, "interrupted; 1 input is answered"),
            answered => write!(f, "interrupted; {answered} inputs are answered"),
        }
    }
}

impl std::error::Error for Called {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
impl std::error::Error for SomeFailed {}
impl std::error::Error for Interrupted {}

/// Reports an error. A reader of standard output that went away is none.
pub(super) fn of(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    let (code, kind) = class(error);
    tell(code, kind, &line(error))
}

/// An error about a model that is not there, with one in the cache that is spelled alike, or with what would bring it.
pub(super) fn with_advice(error: anyhow::Error, model: &str, cache: &std::path::Path) -> anyhow::Error {
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<formers::Error>()).map(formers::Error::kind);
    let Some(kind @ (Kind::NotFound | Kind::Offline | Kind::Unauthorized | Kind::Network)) = kind else { return error };
    let cached = formers::hub::cache::scan(cache).unwrap_or_default();
    let names = cached.iter().map(|repo| repo.name.as_str());
    // sentence-transformers and Ollama take names without their owners.
    let of_owner = |name: &&str| !model.contains('/') && name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(model));
    // That the model itself lacks something is no matter of spelling.
    let near = names.clone().find(of_owner).or_else(|| formers::pipelines::near(model, names)).filter(|near| *near != model);
    let advice = match near {
        Some(near) => format!("did you mean {near:?}, which is in the cache?"),
        None if kind == Kind::Offline => format!("`formers download {}` does that", quoted(model)),
        None => return error,
    };
    formers::Error::new(kind, format!("{error}; {advice}")).caused_by(error).into()
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The exit code of an error, and its kind for programs.
fn class(error: &anyhow::Error) -> (u8, &'static str) {
    for cause in error.chain() {
        if cause.is::<SomeFailed>() {
            return (SOME_FAILED, "inputs");
        }
        if let Some(Interrupted { signal, .. }) = cause.downcast_ref() {
            return (signal.code(), "interrupted");
        }
        if let Some(Called(error)) = cause.downcast_ref() {
            let of_input = matches!(error.kind(), Kind::NotFound | Kind::Io | Kind::Unsupported);
            return (if of_input { ASKED } else { code(error.kind()) }, error.kind().name());
        }
        if let Some(error) = cause.downcast_ref::<formers::Error>() {
            return (code(error.kind()), error.kind().name());
        }
        if cause.is::<io::Error>() {
            return (MACHINE, Kind::Io.name());
        }
    }
    (MACHINE, Kind::Runtime.name())
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Request | Kind::Media | Kind::Incomplete => ASKED,
        Kind::NotFound | Kind::Checkpoint | Kind::Config | Kind::Unsupported | Kind::Answer => MODEL,
        Kind::Network | Kind::Offline | Kind::Unauthorized => HUB,
        _ => MACHINE,
    }
}

/// Reports wrong arguments, or shows the help that was asked for.
pub(super) fn of_arguments(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away has seen enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(ASKED)
        }
        _ => {
            let hint = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(name)) => of_command(name),
                _ => None,
            };
            let message = arguments(&error.to_string());
            tell(ASKED, "usage", &hint.map_or(message, |hint| format!("there is no command {hint}")))
        }
    }
}

/// What people mean with the name of a task, or with a word of another program.
fn of_command(name: &str) -> Option<String> {
    let does = match name {
        "serve" | "server" => return Some(format!("{name}: there is no server; `formers run … - --jsonl` answers lines as they come")),
        "pull" | "get" => "formers download",
        "list" | "ls" | "ps" => "formers cache list",
        "rm" | "remove" | "delete" => "formers cache remove",
        "show" => "formers info",
        "export" | "quantize" => "formers convert",
        "generate" | "complete" | "completion" => "formers run text-generation",
        "embed" | "encode" | "embedding" => "formers run feature-extraction",
        "classify" => "formers run text-classification",
        "rerank" => "formers run text-ranking",
        "translate" => "formers run translation",
        "summarize" => "formers run summarization",
        "pipeline" => "formers run",
        task => return formers::pipelines::find(task).ok().map(|found| format!("{task}: it is a task, `formers run {}`", found.id)),
    };
    Some(format!("{name}: `{does}` does that"))
}

/// The last panic, and where it was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs the program. A panic that reaches its end is a bug, and is told like every other error, with the place where it happened; one
/// that was caught on the way (damaged files make other crates panic) has become an error already.
pub(super) fn or_panic(program: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("unknown");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = format!("{what} ({place})");
    }));
    panic::catch_unwind(program).unwrap_or_else(|_| {
        let last = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        tell(BUG, "bug", &one_line(&format!("a bug in formers, please report it: {last}")))
    })
}

/// Tells people, and programs that asked for JSON and have not got their document yet.
fn tell(code: u8, kind: &str, message: &str) -> ExitCode {
    say(message);
    if wants_json() && !output::is_begun() {
        // Nobody is left to tell when this fails.
        let _ = output::json(&json!({ "error": { "kind": kind, "message": message } }));
    }
    ExitCode::from(code)
}

/// Whether the arguments ask for JSON, also where they are wrong.
fn wants_json() -> bool {
    let mut options = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    options.any(|argument| argument == "--json" || argument == "--jsonl")
}

/// The error of an input in its place.
pub(super) fn in_place(error: &formers::Error, place: Map<String, Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".into(), error.kind().name().into());
    fields.insert("message".into(), one_line(error.message()).into());
    fields.extend(place);
    json!({ "error": fields })
}

/// An `error:` line.
pub(super) fn say(message: &str) {
    use io::Write;
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}
/// The error and its causes, each told once.
fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let message = shortened(cause);
        // What was cut is told where its beginning is.
        let beginning = message.split(" … (").next().unwrap_or_default();
        if line.is_empty() {
            line = message;
        } else if !line.contains(beginning) {
            line = format!("{line}: {message}");
        }
    }
    one_line(&line)
}

/// What clap says over several lines, without the parts that `--help` repeats.
fn arguments(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let mut parts: Vec<String> = Vec::new();
    for line in lines {
        match parts.last_mut() {
            // Arguments that are missing are listed one a line.
            Some(last) if last.ends_with(':') || line.starts_with('<') => {
                last.push(' ');
                last.push_str(line);
            }
            _ => parts.push(line.to_owned()),
        }
    }
    one_line(&parts.join("; "))
}

/// Line ends and other control characters, which a message may quote, would break the line.
pub(super) fn one_line(message: &str) -> String {
    let message = shortened(message);
    let words: Vec<&str> = message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect();
    words.join(" ").chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = io::Error::other("no space");
        let inner = formers::Error::io(std::path::Path::new("/x"), cause);
        let error = anyhow::Error::new(inner).context("writing\nthe answer");
        assert_eq!(line(&error), "writing the answer: /x: no space");
    }

    #[test]
    fn a_panic_that_was_caught_is_no_failure() {
        let caught = || ExitCode::from(u8::from(panic::catch_unwind(|| assert_eq!(1, 2)).is_err()));
        assert_eq!(or_panic(caught), ExitCode::from(1));
        assert_eq!(or_panic(|| [ExitCode::SUCCESS; 0][std::hint::black_box(7)]), ExitCode::from(101));
        let _ = panic::take_hook();
        assert!(PANIC.lock().unwrap_or_else(PoisonError::into_inner).contains("failure.rs"));
    }

    #[test]
    fn wrong_arguments_take_one_line() {
        let message = "error: the following required arguments were not provided:\n  <TASK>\n  <MODEL>\n\n  tip: x\n\nUsage: formers run <TASK>\n\nFor more information, try '--help'.\n";
        let expected = "the following required arguments were not provided: <TASK> <MODEL>; tip: x; Usage: formers run <TASK>";
        assert_eq!(arguments(message), expected);
    }
}

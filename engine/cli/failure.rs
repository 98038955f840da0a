//! How the program fails: one `error:` line on standard error that says what was wrong and what to do.

use std::{
    io,
    panic::{self, UnwindSafe},
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use clap::error::ErrorKind;
use formers_converters::shortened;

/// Reports an error. A reader of standard output that went away is none.
pub(super) fn of(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    say(&line(error));
    ExitCode::FAILURE
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
            ExitCode::from(2)
        }
        _ => {
            say(&arguments(&error.to_string()));
            ExitCode::from(2)
        }
    }
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
        say(&one_line(&format!("a bug in formers, please report it: {last}")));
        // As Rust's own programs do.
        ExitCode::from(101)
    })
}

fn say(message: &str) {
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
fn one_line(message: &str) -> String {
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

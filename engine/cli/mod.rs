//! The command line: one file per subcommand.

mod bench;
mod cache;
mod card;
mod chat;
mod convert;
mod doctor;
mod download;
mod failure;
mod info;
mod input;
mod interrupt;
mod logging;
mod memory;
mod model_options;
mod output;
mod progress;
mod run;
mod save;
mod show;
mod signals;
mod sink;
mod table;
mod tasks;
mod tokenize;

use std::{path::PathBuf, process::ExitCode, sync::OnceLock, time::Instant};

use clap::{Parser, Subcommand};

/// Any Hugging Face Transformers model on ONNX Runtime: every answer as Python's `transformers.pipeline` gives it.
#[derive(Parser)]
#[command(name = "formers", version, max_term_width = 120, disable_help_subcommand = true, after_help = failure::EXIT_CODES)]
struct Cli {
    /// Say more on standard error (-v what is done, -vv details, -vvv everything); RUST_LOG says it in full.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Chat(chat::Chat),
    Convert(convert::Convert),
    Info(info::Info),
    Download(download::Download),
    Cache(cache::Cache),
    Tasks(tasks::Tasks),
    Tokenize(tokenize::Tokenize),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
}

static STARTED: OnceLock<Instant> = OnceLock::new();

/// When the program began.
fn started() -> Instant {
    *STARTED.get_or_init(Instant::now)
}

/// Runs the program: exit code 0, or another one and an `error:` line on standard error.
pub(crate) fn main() -> ExitCode {
    started();
    signals::handle();
    interrupt::watch();
    failure::or_panic(run)
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::of_arguments(&error),
    };
    logging::start(cli.verbose, cli.command.names_auto());
    let model = cli.command.model();
    let done = cli.command.execute();
    interrupt::settle();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::of(&match model {
            Some((model, cache)) => failure::with_advice(error, &model, &cache),
            None => error,
        }),
    }
}

impl Command {
    fn execute(self) -> anyhow::Result<()> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Chat(chat) => chat.execute(),
            Self::Convert(convert) => convert.execute(),
            Self::Info(info) => info.execute(),
            Self::Download(download) => download.execute(),
            Self::Cache(cache) => cache.execute(),
            Self::Tasks(tasks) => tasks.execute(),
            Self::Tokenize(tokenize) => tokenize.execute(),
            Self::Doctor(doctor) => doctor.execute(),
            Self::Bench(bench) => bench.execute(),
        }
    }

    /// The model that is meant, and the cache that it may be in.
    fn model(&self) -> Option<(String, PathBuf)> {
        let (model, options) = match self {
            Self::Run(run) => return Some((run.model()?.to_owned(), run.options.cache())),
            Self::Chat(chat) => (&chat.model, &chat.options),
            Self::Convert(convert) => (&convert.model, &convert.options),
            Self::Info(info) => (&info.model, &info.options),
            Self::Tokenize(tokenize) => (&tokenize.model, &tokenize.options),
            Self::Bench(bench) => (&bench.model, &bench.options),
            _ => return None,
        };
        Some((model.clone(), options.cache()))
    }

    /// Whether the device is left open by name, so that the one that is taken should be told.
    fn names_auto(&self) -> bool {
        match self {
            Self::Run(run) => run.options.names_auto(),
            Self::Chat(chat) => chat.options.names_auto(),
            Self::Bench(bench) => bench.options.names_auto(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}

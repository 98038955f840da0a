//! `formers chat`: a talk with a model in a terminal.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::atomic::{AtomicU8, Ordering},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use formers::{
    model::Pretrained,
    pipelines::{
        Pipeline as _, TextGeneration,
        text_generation::{Options, Prompt},
    },
};
use serde_json::{Map, Value, json};

use super::model_options::ModelOptions;

/// Talk with a model
///
/// Each line is a message, answered as it comes. Ctrl-C ends an answer, and the talk where nothing is being answered; so does
/// Ctrl-D. /clear forgets what was said, /system TEXT says who the model is, /exit ends the talk.
#[derive(Args)]
pub(super) struct Chat {
    /// A model on the Hub or a folder, with a chat template.
    model: String,
    /// What the model is told about itself.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens of an answer.
    #[arg(long, value_name = "TOKENS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    /// A parameter of `generate`, such as temperature=0.7 or do_sample=false. The value is JSON, or else a string.
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

/// What Ctrl-C means: the end of the talk, or of an answer, or that this answer has been ended.
static STATE: AtomicU8 = AtomicU8::new(LISTENING);
const LISTENING: u8 = 0;
const ANSWERING: u8 = 1;
const INTERRUPTED: u8 = 2;

impl Chat {
    pub(super) fn execute(self) -> Result<()> {
        let options = Options { generation: self.generation()?, ..Options::default() };
        let generate = TextGeneration::load(&Pretrained::open(self.options.resolve(&self.model))?)?;
        ctrlc::set_handler(|| {
            if STATE.compare_exchange(ANSWERING, INTERRUPTED, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                // As shells report an interrupted program.
                std::process::exit(130);
            }
        })
        .context("Ctrl-C")?;

        let mut talk = Talk::new(self.system.as_deref());
        let mut lines = io::stdin().lock().lines();
        let terminal = io::stdin().is_terminal();
        loop {
            if terminal {
                aside("> ");
            }
            let Some(line) = lines.next() else { break };
            let line = line.context("standard input")?;
            match line.trim().split_once(' ').map_or((line.trim(), ""), |(command, rest)| (command, rest.trim())) {
                ("", _) => {}
                ("/exit", "") => break,
                ("/clear", "") => talk.clear(),
                ("/system", text) => talk.system(text),
                (command, _) if command.starts_with('/') => aside("there are /clear, /system TEXT and /exit\n"),
                _ => match talk.say(&line, &generate, &options) {
                    Err(error) if terminal => aside(&format!("error: {error:#}\n")),
                    said => said?,
                },
            }
        }
        Ok(())
    }

    fn generation(&self) -> Result<Map<String, Value>> {
        let mut generation = Map::new();
        generation.insert("max_new_tokens".into(), json!(self.max_new_tokens));
        for param in &self.params {
            let Some((key, value)) = param.split_once('=') else { bail!("--param {param}: expected key=value") };
            generation.insert(key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
        }
        Ok(generation)
    }
}

/// To the terminal, beside what is said.
fn aside(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What has been said.
struct Talk {
    messages: Vec<Value>,
}

impl Talk {
    fn new(system: Option<&str>) -> Self {
        let mut talk = Self { messages: Vec::new() };
        talk.system(system.unwrap_or_default());
        talk
    }

    /// Forgets all but who the model is.
    fn clear(&mut self) {
        self.messages.retain(|message| message["role"] == "system");
    }

    /// Says who the model is; nothing where the text is empty.
    fn system(&mut self, text: &str) {
        self.messages.retain(|message| message["role"] != "system");
        if !text.is_empty() {
            self.messages.insert(0, json!({"role": "system", "content": text}));
        }
    }

    /// Says something, and shows the answer as it comes. What cannot be answered was not said.
    fn say(&mut self, text: &str, generate: &TextGeneration, options: &Options) -> Result<()> {
        self.messages.push(json!({"role": "user", "content": text}));
        STATE.store(ANSWERING, Ordering::Relaxed);
        let answer = self.answer(generate, options);
        STATE.store(LISTENING, Ordering::Relaxed);
        match answer {
            Ok(answer) => {
                self.messages.push(json!({"role": "assistant", "content": answer}));
                Ok(())
            }
            Err(error) => {
                self.messages.pop();
                Err(error)
            }
        }
    }

    fn answer(&self, generate: &TextGeneration, options: &Options) -> Result<String> {
        let mut out = io::stdout().lock();
        let mut answer = String::new();
        let start = Instant::now();
        let mut pieces = generate.stream(Prompt::Chat(&self.messages), options)?;
        let first = start.elapsed();
        while STATE.load(Ordering::Relaxed) == ANSWERING
            && let Some(piece) = pieces.next()
        {
            let piece = piece?;
            out.write_all(piece.as_bytes()).and_then(|()| out.flush()).context("standard output")?;
            answer.push_str(&piece);
        }
        writeln!(out).context("standard output")?;
        let (tokens, seconds) = (pieces.token_count(), (start.elapsed() - first).as_secs_f64());
        if io::stderr().is_terminal() {
            aside(&format!("[{tokens} tokens, {:.1} a second after {:.2} s]\n", tokens as f64 / seconds.max(1e-9), first.as_secs_f64()));
        }
        Ok(answer)
    }
}

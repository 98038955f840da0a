//! `formers chat`: a talk with a model in a terminal.

mod given;
mod talk;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
};

use anyhow::{Context, Result};
use clap::Args;
use formers::{
    pipelines::{Pipeline as _, TextGeneration, text_generation::Options},
    preprocess::text::chat::ChatOptions,
};
use serde_json::json;

use super::{
    interrupt::{self, Signal},
    model_options::ModelOptions,
};
use given::{fields, line, tools};
use talk::Talk;

/// Talk with a model
///
/// Each line is a message, answered as it comes; reasoning is shown apart, on standard error. Ctrl-C ends an answer, and the talk where
/// nothing is being answered; so does Ctrl-D. /clear forgets what was said, /system TEXT says who the model is, /tools shows the tools,
/// /exit ends the talk. Where the model calls a tool, the next line is what the tool gives.
#[derive(Args)]
pub(super) struct Chat {
    /// A model on the Hub or a folder, with a chat template.
    pub(super) model: String,
    /// What the model is told about itself.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens of an answer.
    #[arg(long, value_name = "TOKENS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    /// Tools that the model may call: a file with a JSON list of their schemas.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// A parameter of `generate`, such as temperature=0.7 or do_sample=false. The value is JSON, or else a string.
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// A variable of the chat template, such as enable_thinking=false. The value is JSON, or else a string.
    #[arg(long = "chat-template-kwarg", value_name = "KEY=VALUE")]
    template_kwargs: Vec<String>,
    /// Read what looks like a control token in what is said, or in what a tool gives, as text; only the chat template writes control tokens.
    #[arg(long)]
    sanitize_control_tokens: bool,
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
        let tools = self.tools.as_deref().map(tools).transpose()?;
        let kwargs = fields("--chat-template-kwarg", &self.template_kwargs)?;
        let chat = ChatOptions { tools, kwargs, sanitize_control_tokens: self.sanitize_control_tokens, ..ChatOptions::default() };
        let mut generation = fields("--param", &self.params)?;
        generation.entry("max_new_tokens").or_insert_with(|| json!(self.max_new_tokens));
        let options = Options { generation, chat, ..Options::default() };
        let generate = TextGeneration::builder(&self.model).options(self.options.resolve(&self.model)).build()?;
        interrupt::answer(|signal| {
            let is_ended = STATE.compare_exchange(ANSWERING, INTERRUPTED, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            match signal {
                Signal::INTERRUPT if is_ended => true,
                // The usual end of a talk needs no word.
                Signal::INTERRUPT => interrupt::leave(signal),
                _ => false,
            }
        });

        let mut talk = Talk::new(self.system.as_deref());
        let mut input = io::stdin().lock();
        let terminal = io::stdin().is_terminal();
        loop {
            if terminal {
                aside(&talk.prompt());
            }
            let Some(line) = line(&mut input).context("standard input")? else { break };
            let said = match line.trim().split_once(' ').map_or((line.trim(), ""), |(command, rest)| (command, rest.trim())) {
                ("", _) if talk.calls.is_empty() => Ok(()),
                ("/exit", "") => break,
                ("/clear", "") => {
                    talk.clear();
                    Ok(())
                }
                ("/system", text) => {
                    talk.system(text);
                    Ok(())
                }
                ("/tools", "") => {
                    let tools = options.chat.tools.as_deref().unwrap_or_default();
                    aside(&tools.iter().map(|tool| format!("{tool}\n")).collect::<String>());
                    Ok(())
                }
                _ if !talk.calls.is_empty() => talk.tool_gives(&line, &generate, &options),
                (command, _) if command.starts_with('/') => {
                    aside("there are /clear, /system TEXT, /tools and /exit\n");
                    Ok(())
                }
                _ => talk.say(&line, &generate, &options),
            };
            match said {
                Err(error) if terminal => aside(&format!("error: {error:#}\n")),
                said => said?,
            }
        }
        Ok(())
    }
}

/// To the terminal, beside what is said.
fn aside(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

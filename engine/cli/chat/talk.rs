//! What has been said in a talk, and how an answer is shown.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    sync::atomic::Ordering,
    time::Instant,
};

use anyhow::{Context, Result};
use formers::{
    pipelines::{
        TextGeneration,
        text_generation::{Options, Part},
    },
    postprocess::answer::{Answer, ToolCall},
};
use serde_json::{Value, json};

use super::{ANSWERING, LISTENING, STATE, aside};

/// What has been said.
pub(super) struct Talk {
    messages: Vec<Value>,
    /// The calls that wait for what their tools give.
    pub(super) calls: VecDeque<ToolCall>,
}

impl Talk {
    pub(super) fn new(system: Option<&str>) -> Self {
        let mut talk = Self { messages: Vec::new(), calls: VecDeque::new() };
        talk.system(system.unwrap_or_default());
        talk
    }

    /// What a line is asked with.
    pub(super) fn prompt(&self) -> String {
        self.calls.front().map_or_else(|| "> ".to_owned(), |call| format!("what {} gives> ", call.name))
    }

    /// Forgets all but who the model is.
    pub(super) fn clear(&mut self) {
        self.messages.retain(|message| message["role"] == "system");
        self.calls.clear();
    }

    /// Says who the model is; nothing where the text is empty.
    pub(super) fn system(&mut self, text: &str) {
        self.messages.retain(|message| message["role"] != "system");
        if !text.is_empty() {
            self.messages.insert(0, json!({"role": "system", "content": text}));
        }
    }

    /// Says something, and shows the answer as it comes. What cannot be answered was not said.
    pub(super) fn say(&mut self, text: &str, generate: &TextGeneration, options: &Options) -> Result<()> {
        self.messages.push(json!({"role": "user", "content": text}));
        self.answer(1, generate, options)
    }

    /// Says what a tool gave to the first call that waits; after the last the model goes on.
    pub(super) fn tool_gives(&mut self, text: &str, generate: &TextGeneration, options: &Options) -> Result<()> {
        let Some(call) = self.calls.pop_front() else { return Ok(()) };
        self.messages.push(json!({"role": "tool", "name": call.name, "content": text, "tool_call_id": call.id}));
        if self.calls.is_empty() { self.answer(1, generate, options) } else { Ok(()) }
    }

    /// Answers; where that fails, so many messages were not said.
    fn answer(&mut self, said: usize, generate: &TextGeneration, options: &Options) -> Result<()> {
        STATE.store(ANSWERING, Ordering::Relaxed);
        let answer = self.show_answer(generate, options);
        STATE.store(LISTENING, Ordering::Relaxed);
        match answer {
            Ok(mut answer) => {
                for (place, call) in answer.tool_calls.iter_mut().enumerate() {
                    // Templates tell calls apart by these; some insist on nine characters.
                    call.id.get_or_insert_with(|| format!("call{:05}", (self.messages.len() + place) % 100_000));
                }
                self.messages.push(answer.to_message());
                if options.chat.tools.is_some() {
                    self.calls.extend(answer.tool_calls);
                }
                Ok(())
            }
            Err(error) => {
                self.messages.truncate(self.messages.len().saturating_sub(said));
                Err(error)
            }
        }
    }

    fn show_answer(&self, generate: &TextGeneration, options: &Options) -> Result<Answer> {
        let mut out = io::stdout().lock();
        let start = Instant::now();
        let mut parts = generate.stream_parts(&self.messages, options)?;
        let first = start.elapsed();
        // Dim, where there is a terminal to be so.
        let (dim, bright) = if io::stderr().is_terminal() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let (mut reasons, mut calls) = (false, Vec::new());
        while STATE.load(Ordering::Relaxed) == ANSWERING
            && let Some(part) = parts.next()
        {
            let part = part?;
            if reasons && !matches!(part, Part::Reasoning(_)) {
                aside("\n\n");
                reasons = false;
            }
            match part {
                Part::Reasoning(text) => {
                    aside(&format!("{dim}{text}{bright}"));
                    reasons = true;
                }
                Part::Content(text) => out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")?,
                // Calls stand on lines of their own, behind what else is said.
                Part::Call(call) => calls.push(call),
                _ => {}
            }
        }
        if reasons {
            aside("\n");
        }
        for (place, call) in calls.into_iter().enumerate() {
            let gap = if place == 0 && parts.answer().content.is_empty() { "" } else { "\n" };
            write!(out, "{gap}{}({})", call.name, Value::Object(call.arguments)).context("standard output")?;
        }
        writeln!(out).context("standard output")?;
        let (tokens, seconds) = (parts.token_count(), (start.elapsed() - first).as_secs_f64());
        if io::stderr().is_terminal() {
            aside(&format!("[{tokens} tokens, {:.1} a second after {:.2} s]\n", tokens as f64 / seconds.max(1e-9), first.as_secs_f64()));
        }
        Ok(parts.answer().clone())
    }
}

//! `formers chat`: a talk with a model in a terminal.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use formers::{
    model::Pretrained,
    pipelines::{
        Pipeline as _, TextGeneration,
        text_generation::{Options, Part},
    },
    postprocess::answer::{Answer, ToolCall},
    preprocess::text::chat::ChatOptions,
};
use serde_json::{Map, Value, json};

use super::{failure, input, model_options::ModelOptions};

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

/// Lines and files of more bytes than this are a mistake, such as a device that never ends: no model reads so much.
const MOST_BYTES: u64 = 16 << 20;

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
        let generate = TextGeneration::load(&Pretrained::open(self.options.resolve(&self.model))?)?;
        ctrlc::set_handler(|| {
            if STATE.compare_exchange(ANSWERING, INTERRUPTED, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                // As shells report an interrupted program.
                std::process::exit(130);
            }
        })
        .context("Ctrl-C")?;

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

/// The keys and values of an argument that is given several times.
fn fields(argument: &str, given: &[String]) -> Result<Map<String, Value>> {
    let field = |text: &String| {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!(failure::asked(format_args!("{argument} {text}: expected key=value")))
        };
        Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
    };
    given.iter().map(field).collect()
}

/// To the terminal, beside what is said.
fn aside(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The next line without its end; `None` behind the last.
fn line(input: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_until(b'\n', &mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failure::asked(format_args!("a line of more than {} MiB", MOST_BYTES >> 20)));
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    let end = bytes.strip_suffix(b"\n").map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(end);
    let line = String::from_utf8(bytes);
    line.map(Some).map_err(|error| failure::asked(format_args!("byte {} of a line is not UTF-8", error.utf8_error().valid_up_to())))
}

/// The tools in a file.
fn tools(path: &Path) -> Result<Vec<Value>> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(failure::asked(format_args!("more than {} MiB, which no tools take", MOST_BYTES >> 20)));
        }
        Ok(bytes)
    };
    let wrong = |message: String| failure::asked(format_args!("--tools {}: {message}", path.display()));
    let bytes = read().map_err(|error| wrong(format!("{error:#}")))?;
    let tools = match serde_json::from_slice(&input::to_utf8(&bytes)) {
        Ok(Value::Array(tools)) => tools,
        Ok(_) => return Err(wrong("expected a JSON list of tools; put one tool in [ ]".to_owned())),
        Err(error) => return Err(wrong(format!("not valid JSON: {error}"))),
    };
    // A function stands as it is, or in a field; tools of other types are the template's matter.
    let is_tool = |tool: &Value| {
        let is_other = tool["type"].as_str().is_some_and(|kind| kind != "function");
        tool.is_object() && (is_other || tool.get("function").unwrap_or(tool)["name"].is_string())
    };
    match tools.iter().position(|tool| !is_tool(tool)) {
        Some(place) => Err(wrong(format!(
            r#"entry {} of the list names no function; expected {{"type": "function", "function": {{"name": …, "parameters": {{…}}}}}}"#,
            place + 1
        ))),
        None => Ok(tools),
    }
}

/// What has been said.
struct Talk {
    messages: Vec<Value>,
    /// The calls that wait for what their tools give.
    calls: VecDeque<ToolCall>,
}

impl Talk {
    fn new(system: Option<&str>) -> Self {
        let mut talk = Self { messages: Vec::new(), calls: VecDeque::new() };
        talk.system(system.unwrap_or_default());
        talk
    }

    /// What a line is asked with.
    fn prompt(&self) -> String {
        self.calls.front().map_or_else(|| "> ".to_owned(), |call| format!("what {} gives> ", call.name))
    }

    /// Forgets all but who the model is.
    fn clear(&mut self) {
        self.messages.retain(|message| message["role"] == "system");
        self.calls.clear();
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
        self.answer(1, generate, options)
    }

    /// Says what a tool gave to the first call that waits; after the last the model goes on.
    fn tool_gives(&mut self, text: &str, generate: &TextGeneration, options: &Options) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use std::io::{BufReader, repeat};

    use super::*;

    #[test]
    fn lines_end_somewhere() {
        let mut input = BufReader::with_capacity(3, &b"one\r\n\ntwo\r \nthree"[..]);
        let lines: Vec<String> = std::iter::from_fn(|| line(&mut input).unwrap()).collect();
        assert_eq!(lines, ["one", "", "two\r ", "three"]);
        let error = line(&mut BufReader::new(repeat(b'a'))).unwrap_err().to_string();
        assert_eq!(error, "a line of more than 16 MiB");
        assert_eq!(line(&mut &b"a\xff\n"[..]).unwrap_err().to_string(), "byte 1 of a line is not UTF-8");
        #[cfg(unix)]
        assert!(format!("{:#}", tools(Path::new("/dev/zero")).unwrap_err()).contains("/dev/zero: more than 16 MiB"));
    }
}

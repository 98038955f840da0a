//! `apply_chat_template(..., tokenize=False)`.

use minijinja::Value as Jinja;
use minijinja::value::Serde;
use minijinja::{AutoEscape, ErrorKind as Kind, machinery};
use serde_json::{Map, Value};

use super::budget::{self, Budget};
use super::clock::WallClock;
use super::environment::{Raised, environment, syntax};
use super::{continuation, messages, operators};
use crate::preprocess::text::SpecialTokens;
use crate::{Error, ErrorKind, Result};

/// What `apply_chat_template` takes beside the messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatOptions {
    /// The name of one of the checkpoint's templates, or a template.
    pub chat_template: Option<String>,
    /// Tools as JSON schemas; `Some` of an empty list differs from `None`.
    pub tools: Option<Vec<Value>>,
    /// Documents, objects with `title` and `text`.
    pub documents: Option<Vec<Value>>,
    /// Whether the prompt ends where an answer begins.
    pub add_generation_prompt: bool,
    /// Whether the prompt ends inside the last message.
    pub continue_final_message: Option<Continue>,
    /// Further variables of the template, such as `enable_thinking`; they come before the special tokens.
    pub kwargs: Map<String, Value>,
    /// Whether control tokens in what the chat says, not in what the template writes, are text ([`ChatTemplates::encode`]).
    ///
    /// [`ChatTemplates::encode`]: super::ChatTemplates::encode
    pub sanitize_control_tokens: bool,
    /// The time that `strftime_now` tells; the local time when `None`.
    pub now: Option<WallClock>,
}

/// The field of the last message that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Continue {
    /// `content`
    Content,
    /// Another field, such as `reasoning_content`.
    Field(String),
}

/// Renders a chat with a template, byte for byte as Python does.
///
/// # Errors
/// A request error when the template raises, fails on these messages, does not end or makes too much text; a
/// configuration error with the line when the template is not valid Jinja.
pub fn render(template: &str, special: &SpecialTokens, chat: &[Value], options: &ChatOptions) -> Result<String> {
    let mut chat = messages::prepare(chat)?;
    if options.continue_final_message.is_some() && options.add_generation_prompt {
        return Err(Error::request(
            "continue_final_message",
            "not together with add_generation_prompt: the answer either goes on or begins",
        ));
    }
    check("tools", options.tools.as_deref())?;
    check("documents", options.documents.as_deref())?;
    let continued = match &options.continue_final_message {
        None => None,
        Some(Continue::Content) => Some(continuation::mark(&mut chat, "content", template)?),
        Some(Continue::Field(field)) => Some(continuation::mark(&mut chat, field, template)?),
    };
    let rendered = with_stack(|| evaluate(template, variables(special, &chat, options), options.now.unwrap_or_else(WallClock::now)))?;
    match continued {
        Some(text) => continuation::cut(rendered, &text),
        None => Ok(rendered),
    }
}

fn check(field: &str, list: Option<&[Value]>) -> Result<()> {
    match list.into_iter().flatten().position(|entry| !entry.is_object()) {
        Some(index) => Err(Error::request(&format!("{field}[{index}]"), "not an object")),
        None => Ok(()),
    }
}

fn variables(special: &SpecialTokens, chat: &[Map<String, Value>], options: &ChatOptions) -> Jinja {
    let tokens = special.named().map(|(name, token)| (name.to_owned(), Jinja::from(token)));
    let kwargs = options.kwargs.iter().map(|(name, value)| (name.clone(), Jinja::from(Serde(value))));
    let own = [
        ("messages", Jinja::from(Serde(chat))),
        ("tools", Jinja::from(Serde(&options.tools))),
        ("documents", Jinja::from(Serde(&options.documents))),
        ("add_generation_prompt", Jinja::from(options.add_generation_prompt)),
    ];
    Jinja::from_pairs(tokens.chain(kwargs).chain(own.map(|(name, value)| (name.to_owned(), value))))
}

/// Runs in a thread whose stack is large enough for the deepest values that a template can make.
fn with_stack(rendering: impl FnOnce() -> Result<String> + Send) -> Result<String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(NAME.to_owned()).stack_size(budget::STACK).spawn_scoped(scope, rendering);
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::Io, format!("{NAME}: no thread to render it: {error}")).caused_by(error))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Error::request("messages", "the chat template failed while rendering; this is a fault of formers")))
    })
}

/// Renders a template with its variables.
fn evaluate(template: &str, variables: Jinja, now: WallClock) -> Result<String> {
    let budget = Budget::new();
    let source = source(template);
    let failed = |error: minijinja::Error| explain(&error);
    let parsed = machinery::parse(&source, NAME, syntax().map_err(failed)?).map_err(failed)?;
    let mut generator = machinery::CodeGenerator::new(NAME, &source);
    generator.compile_stmt(&parsed);
    let (mut instructions, mut blocks) = generator.finish();
    let longest = blocks.values_mut().map(operators::rewrite).fold(operators::rewrite(&mut instructions), usize::max);
    let environment = environment(&budget, longest, now);
    let mut rendered = String::new();
    let mut output = machinery::make_string_output(&mut rendered);
    machinery::eval(&environment, &instructions, variables, &blocks, &mut output, AutoEscape::None).map_err(failed)?;
    Ok(rendered)
}

/// What templates are called in errors.
pub(super) const NAME: &str = "chat template";

/// A template as it is read.
pub(super) fn source(template: &str) -> String {
    plain_blocks(&template.replace("\r\n", "\n").replace('\r', "\n"))
}

/// `{% generation %}` marks an answer for training and is no more than a scope when rendering.
fn plain_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let sign = usize::from(tag[2..].starts_with(['-', '+']));
        let name = tag[2 + sign..].trim_start();
        let (written, scope) = if name.starts_with("endgeneration") { ("endgeneration", "endwith") } else { ("generation", "with") };
        let after = name.strip_prefix(written).filter(|after| after.trim_start().trim_start_matches(['-', '+']).starts_with("%}"));
        match after {
            Some(after) => {
                out.push_str(&tag[..tag.len() - name.len()]);
                out.push_str(scope);
                rest = after;
            }
            None => {
                out.push_str("{%");
                rest = &tag[2..];
            }
        }
    }
    out + rest
}

pub(super) fn explain(error: &minijinja::Error) -> Error {
    if let Some(raised) = Raised::message(error) {
        return Error::request("messages", format!("the chat template raises: {raised}"));
    }
    let line = error.line().map_or(String::new(), |line| format!(", line {line}"));
    let detail = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    let (kind, what) = match error.kind() {
        Kind::SyntaxError => (ErrorKind::Config, detail),
        Kind::OutOfFuel => (ErrorKind::Request, format!("it does not end, or makes too much text ({detail})")),
        _ => (ErrorKind::Request, format!("{detail}; the messages may lack what the template reads")),
    };
    Error::new(kind, format!("{NAME}{line}: {what}"))
}

//! `apply_chat_template(..., tokenize=False)`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::clock::WallClock;
use super::parsed::{explain, parsed};
use super::{continuation, messages, tools};
use crate::preprocess::text::SpecialTokens;
use crate::preprocess::text::jinja::budget::{Budget, STACK};
use crate::preprocess::text::jinja::error::{Error as JinjaError, Kind};
use crate::preprocess::text::jinja::value::convert::{from_fields, from_json, list_of, size};
use crate::preprocess::text::jinja::value::repr::str_of;
use crate::preprocess::text::jinja::{Arguments, Functions, value::Value as Jinja};
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
    tools::check(options.tools.as_deref().unwrap_or_default())?;
    check_documents(options.documents.as_deref().unwrap_or_default())?;
    let continued = match &options.continue_final_message {
        None => None,
        Some(Continue::Content) => Some(continuation::mark(&mut chat, "content", template)?),
        Some(Continue::Field(field)) => Some(continuation::mark(&mut chat, field, template)?),
    };
    let source = template.len();
    let template = parsed(template)?;
    let now = options.now.unwrap_or_else(WallClock::now);
    let size = chat.iter().flatten().map(|(name, value)| name.len() + size(value)).sum::<usize>() + options_size(options);
    let rendered = with_stack(|| {
        let strftime_now = |budget: &Budget, arguments: Arguments| strftime_now(now, budget, arguments);
        let functions: &Functions<'_> = &[("raise_exception", &raise_exception), ("strftime_now", &strftime_now)];
        let rendered = template.render(variables(special, &chat, options), functions, Budget::new(size));
        rendered.map_err(|error| explain(&error))
    })?;
    // All of it becomes tokens, which takes a hundred times as long as to make it.
    let most = LONGEST_PROMPT.saturating_add(source).saturating_add(size.saturating_mul(PROMPT_PER_INPUT));
    if rendered.len() > most {
        let text = format!("the chat template makes {} bytes of this chat, more than any chat needs; {most} are the most", rendered.len());
        return Err(Error::request("messages", text));
    }
    match continued {
        Some(text) => continuation::cut(rendered, &text),
        None => Ok(rendered),
    }
}

fn check_documents(documents: &[Value]) -> Result<()> {
    match documents.iter().position(|document| !document.is_object()) {
        Some(index) => Err(Error::request(&format!("documents[{index}]"), "not an object")),
        None => Ok(()),
    }
}

fn variables(special: &SpecialTokens, chat: &[Map<String, Value>], options: &ChatOptions) -> HashMap<Arc<str>, Jinja> {
    let list = |list: &Option<Vec<Value>>| list.as_ref().map_or(Jinja::None, |list| list_of(list.iter().map(from_json)));
    let tokens = special.named().map(|(name, token)| (name.into(), Jinja::str(token)));
    let kwargs = options.kwargs.iter().map(|(name, value)| (name.as_str().into(), from_json(value)));
    let own = [
        ("messages", list_of(chat.iter().map(from_fields))),
        ("tools", list(&options.tools)),
        ("documents", list(&options.documents)),
        ("add_generation_prompt", Jinja::Bool(options.add_generation_prompt)),
    ];
    tokens.chain(kwargs).chain(own.map(|(name, value)| (name.into(), value))).collect()
}

/// About how many bytes the options bring.
fn options_size(options: &ChatOptions) -> usize {
    let lists = options.tools.iter().chain(&options.documents).flatten();
    lists.chain(options.kwargs.values()).map(size).sum()
}

/// `raise_exception(message)`
fn raise_exception(budget: &Budget, arguments: Arguments) -> std::result::Result<Jinja, JinjaError> {
    let bound = arguments.bind("raise_exception", ["message"], 1)?;
    Err(JinjaError::new(Kind::Raised, &*str_of(budget, bound.value(0))?))
}

/// `strftime_now(format)`
fn strftime_now(now: WallClock, budget: &Budget, arguments: Arguments) -> std::result::Result<Jinja, JinjaError> {
    let bound = arguments.bind("strftime_now", ["format"], 1)?;
    match bound.value(0).as_str() {
        Some(format) => Jinja::made(budget, now.format(format)),
        None => Err(JinjaError::type_error(format!("strftime() argument 1 must be str, not {}", bound.value(0).type_name()))),
    }
}

/// Runs in a thread whose stack is large enough for the deepest values that a template can make.
pub(super) fn with_stack<T: Send>(rendering: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(NAME.to_owned()).stack_size(STACK).spawn_scoped(scope, rendering);
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::Io, format!("{NAME}: no thread to render it: {error}")).caused_by(error))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Error::request("messages", "the chat template failed while rendering; this is a fault of formers")))
    })
}

/// Bytes that a template may make beside its own text, and of each byte that it is given.
const LONGEST_PROMPT: usize = 1 << 20;
const PROMPT_PER_INPUT: usize = 16;

/// What templates are called in errors.
pub(super) const NAME: &str = "chat template";

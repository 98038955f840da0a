//! `sanitize_control_tokens`: what looks like a control token in the words of a chat is read as the text that it is, so that only the
//! template writes control tokens.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::literals::literals;
use super::render::ChatOptions;
use crate::preprocess::text::{EncodeOptions, Encoding, Tokenizer};
use crate::{Error, Result};

/// Characters for private use, which stand around a control token that is text while the template renders.
const START: char = '\u{f0000}';
const END: char = '\u{f0001}';

/// Tokens to be looked for in a text.
#[derive(Debug, Default)]
pub(super) struct ControlTokens {
    /// By the first character, the longest first.
    search: HashMap<char, Vec<String>>,
}

impl ControlTokens {
    /// The control tokens of a chat: special tokens, and the added tokens that the checkpoint lists, or else those that the template writes.
    /// Templates write white space as text.
    pub(super) fn of(tokenizer: &Tokenizer, template: &str) -> Result<Self> {
        let added = tokenizer.added_tokens().into_iter();
        let tokens: Vec<String> = match tokenizer.chat_control_tokens() {
            Some(listed) => added.filter(|(token, special)| *special || listed.contains(token)).map(|(token, _)| token).collect(),
            None => {
                let written = literals(template)?;
                let is_control = |token: &str| written.contains(token) && !token.chars().all(super::is_space);
                added.filter(|(token, special)| *special || is_control(token)).map(|(token, _)| token).collect()
            }
        };
        Ok(Self::new(tokens))
    }

    fn new(tokens: Vec<String>) -> Self {
        let mut search: HashMap<char, Vec<String>> = HashMap::new();
        for token in tokens {
            if let Some(first) = token.chars().next() {
                search.entry(first).or_default().push(token);
            }
        }
        search.values_mut().for_each(|tokens| tokens.sort_by_key(|token| std::cmp::Reverse(token.len())));
        Self { search }
    }

    /// The token that a text begins with.
    fn at_start(&self, text: &str) -> Option<&str> {
        let tokens = self.search.get(&text.chars().next()?)?;
        tokens.iter().map(String::as_str).find(|token| text.starts_with(token))
    }

    fn contains(&self, token: &str) -> bool {
        token.chars().next().and_then(|first| self.search.get(&first)).is_some_and(|tokens| tokens.iter().any(|known| known == token))
    }

    /// What a chat says, with marks around its control tokens.
    pub(super) fn mark_chat(&self, messages: &[Value], options: &ChatOptions) -> (Vec<Value>, ChatOptions) {
        let all = |values: &[Value]| values.iter().map(|value| self.mark(value)).collect::<Vec<_>>();
        let marked = ChatOptions {
            tools: options.tools.as_deref().map(all),
            documents: options.documents.as_deref().map(all),
            kwargs: self.mark_fields(&options.kwargs),
            sanitize_control_tokens: false,
            ..options.clone()
        };
        (all(messages), marked)
    }

    /// As in the reference, names of fields stay as they are.
    fn mark(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mark_text(text)),
            Value::Array(list) => list.iter().map(|value| self.mark(value)).collect(),
            Value::Object(fields) => Value::Object(self.mark_fields(fields)),
            other => other.clone(),
        }
    }

    fn mark_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        fields.iter().map(|(name, value)| (name.clone(), self.mark(value))).collect()
    }

    fn mark_text(&self, text: &str) -> String {
        // Marks that are there already could forge one.
        let text = text.replace([START, END], "");
        let mut marked = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            match self.at_start(rest) {
                Some(token) => {
                    marked.extend([START].into_iter().chain(token.chars()).chain([END]));
                    rest = &rest[token.len()..];
                }
                None => {
                    marked.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        marked
    }
}

/// The tokens of a chat that was rendered with marks.
pub(super) fn encode(tokenizer: &Tokenizer, chat: &str, options: &EncodeOptions) -> Result<Encoding> {
    let added = ControlTokens::new(tokenizer.added_tokens().into_iter().map(|(token, _)| token).collect());
    let plain = EncodeOptions::default().without_special_tokens();
    let encode = |text: &str| tokenizer.encode(text, None, &plain).map(|encoding| encoding.ids);
    let newline = encode("\n")?;
    // Within a chat no tokenizer may put a space before a text: behind a line break it does not.
    let within =
        |text: &str, encode: &dyn Fn(&str) -> Result<Vec<u32>>| match encode(&format!("\n{text}"))?.strip_prefix(newline.as_slice()) {
            Some(ids) => Ok(ids.to_vec()),
            None => encode(text),
        };
    let (first, mut rest) = chat.split_at(chat.find([START, END]).unwrap_or(chat.len()));
    let mut ids = encode(first)?;
    while let Some(mark) = rest.chars().next() {
        rest = &rest[mark.len_utf8()..];
        let marked = rest.split_once(END).filter(|(token, _)| mark == START && added.contains(token));
        if let Some((token, after)) = marked {
            let found = within(token, &|text| tokenizer.encode_as_text(text))?;
            if tokenizer.token_to_id(token).is_some_and(|id| found.contains(&id)) {
                return Err(Error::request(
                    "sanitize_control_tokens",
                    format!("{token:?} in the chat cannot be told from the control token: the vocabulary has it as text as well"),
                ));
            }
            ids.extend(found);
            rest = after;
        }
        // A mark that a template has torn from the other still keeps what stands around it apart.
        let (text, after) = rest.split_at(rest.find([START, END]).unwrap_or(rest.len()));
        if !text.is_empty() {
            ids.extend(within(text, &encode)?);
        }
        rest = after;
    }
    tokenizer.encoding_of(ids, options)
}

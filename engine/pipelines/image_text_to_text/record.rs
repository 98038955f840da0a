//! The form of an answer.

use serde_json::{Value, json};

use super::{Answer, ImageTextToText, Options, Prompt, prompt::goes_on};
use crate::{Error, Result};

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    FullText,
    NewText,
    Tensors,
}

impl Form {
    pub(super) fn of(self, pipeline: &ImageTextToText, answer: Answer, prompt: &Prompt<'_>, options: &Options) -> Result<Value> {
        let (asked, generated) = match prompt {
            Prompt::Text(text, _) => (json!(text), json!(format!("{text}{}", answer.text))),
            Prompt::Chat(messages) if self == Self::FullText => {
                (json!(messages), Value::Array(answered(pipeline, &answer, messages, options)?))
            }
            Prompt::Chat(messages) => (json!(messages), Value::Null),
        };
        Ok(match self {
            Self::FullText => json!({"input_text": asked, "generated_text": generated}),
            Self::NewText => json!({"input_text": asked, "generated_text": answer.text}),
            Self::Tensors => json!({"input_text": asked, "generated_token_ids": answer.token_ids}),
        })
    }
}

/// A chat with its answer: a message more, or more in the last message.
fn answered(pipeline: &ImageTextToText, answer: &Answer, messages: &[Value], options: &Options) -> Result<Vec<Value>> {
    match messages.split_last() {
        Some((last, before)) if options.continue_final_message.unwrap_or_else(|| goes_on(messages)) => {
            let content = longer(last.get("content").unwrap_or(&Value::Null), &answer.text)?;
            Ok(before.iter().cloned().chain([json!({"role": last.get("role"), "content": content})]).collect())
        }
        _ => Ok(messages.iter().cloned().chain([pipeline.message(answer, options)?]).collect()),
    }
}

/// A content with more text behind its own.
fn longer(content: &Value, text: &str) -> Result<Value> {
    let wrong = || Error::request("continue_final_message", "the last part of the last message is no text to continue");
    match content {
        Value::String(before) => Ok(json!(format!("{before}{text}"))),
        Value::Array(parts) => {
            let mut parts = parts.clone();
            match parts.last_mut().and_then(|part| part.get_mut("text")) {
                Some(Value::String(before)) => before.push_str(text),
                _ => return Err(wrong()),
            }
            Ok(Value::Array(parts))
        }
        _ => Err(wrong()),
    }
}

impl ImageTextToText {
    /// The message that an answer to a chat is: where the checkpoint says how (`response_template`), with its reasoning and its calls of
    /// tools apart.
    fn message(&self, answer: &Answer, options: &Options) -> Result<Value> {
        let Some(response) = &self.response else { return Ok(json!({"role": "assistant", "content": answer.text})) };
        let prompt = answer.token_ids.len().saturating_sub(answer.generated.tokens.len());
        let prompt = self.decoded(answer.token_ids.get(..prompt).unwrap_or_default(), options)?;
        response.template()?.parse(&answer.text, &prompt, options.chat.tools.as_deref().unwrap_or_default()).map(Value::Object)
    }
}

/// A text without that of its prompt, which begins at one of its first three characters, or all of it where it does not.
pub(super) fn new_text<'t>(text: &'t str, prompt: &str) -> &'t str {
    let starts = text.char_indices().take(3).map(|(at, _)| text.get(at..).unwrap_or_default());
    let rest = starts.filter_map(|text| text.strip_prefix(prompt)).next();
    rest.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_taken_off_where_it_begins() {
        for (text, prompt, new) in [
            ("a b c", "a b", " c"),
            ("  a b c", "a b", " c"),
            ("   a b", "a b", "   a b"),
            ("é\na b", "a", " b"),
            ("abc", "", "abc"),
            ("", "", ""),
            ("", "a", ""),
            ("ab", "abc", "ab"),
        ] {
            assert_eq!(new_text(text, prompt), new, "{text:?} {prompt:?}");
        }
    }

    #[test]
    fn contents_grow_at_their_end() {
        assert_eq!(longer(&json!("It"), " is").unwrap(), json!("It is"));
        let parts = json!([{"type": "image"}, {"type": "text", "text": "It", "more": 1}]);
        assert_eq!(longer(&parts, "!").unwrap(), json!([{"type": "image"}, {"type": "text", "text": "It!", "more": 1}]));
        for content in [json!([{"type": "image"}]), json!([]), json!(null), json!([{"text": 1}])] {
            assert!(longer(&content, "!").is_err(), "{content}");
        }
    }
}

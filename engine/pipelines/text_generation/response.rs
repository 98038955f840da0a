//! An answer as a message: its reasoning and its calls of tools apart.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::{Answer, Options, TextGeneration};
use crate::{
    Result,
    postprocess::{
        answer::{self, AnswerFormat, AnswerReader, Part},
        response::{ResponseReader, ResponseTemplate},
    },
};

/// `response_template` of `tokenizer_config.json`.
#[derive(Debug)]
pub(in crate::pipelines) struct Response {
    declared: Value,
    /// Its regular expressions are compiled for the first answer that needs them.
    template: OnceLock<ResponseTemplate>,
}

impl Response {
    pub(in crate::pipelines) fn of(tokenizer_config: Option<&Value>) -> Option<Self> {
        let declared = tokenizer_config?.get("response_template").filter(|template| !template.is_null())?.clone();
        Some(Self { declared, template: OnceLock::new() })
    }

    /// Whether it says anything; Python takes an empty object for nothing.
    pub(in crate::pipelines) fn says_how(&self) -> bool {
        self.declared.as_object().is_none_or(|fields| !fields.is_empty())
    }

    pub(in crate::pipelines) fn template(&self) -> Result<&ResponseTemplate> {
        if let Some(template) = self.template.get() {
            return Ok(template);
        }
        let template = ResponseTemplate::from_value(&self.declared)?;
        Ok(self.template.get_or_init(|| template))
    }
}

/// What takes an answer apart: by the checkpoint's `response_template`, or by the marks of the model's family.
#[derive(Debug)]
pub(super) enum PartsReader<'a> {
    Template(Box<ResponseReader<'a>>),
    Marks(Box<AnswerReader>),
}

impl PartsReader<'_> {
    pub(super) fn push(&mut self, text: &str) -> Result<Vec<Part>> {
        match self {
            Self::Template(reader) => reader.push(text),
            Self::Marks(reader) => Ok(reader.push(text)),
        }
    }

    pub(super) fn finish(&mut self) -> Result<Vec<Part>> {
        match self {
            Self::Template(reader) => reader.finish(),
            Self::Marks(reader) => Ok(reader.finish()),
        }
    }

    pub(super) fn answer(&self) -> &answer::Answer {
        match self {
            Self::Template(reader) => reader.answer(),
            Self::Marks(reader) => reader.answer(),
        }
    }

    fn into_answer(self) -> answer::Answer {
        match self {
            Self::Template(reader) => reader.into_answer(),
            Self::Marks(reader) => reader.into_answer(),
        }
    }
}

impl TextGeneration {
    /// The parts of an answer to a chat: by `response_template` where the checkpoint has one, else by the marks of the families whose chat
    /// template this is. `text` and `prompt` are with their special tokens, which are no part of the answer. Reasoning
    /// that the message began with goes on where `options` say that the message does (`continue_final_message`).
    ///
    /// # Errors
    /// An answer that is not as `response_template` says.
    pub fn parts(&self, text: &str, prompt: &str, options: &Options) -> Result<answer::Answer> {
        let mut reader = self.parts_reader(prompt, options)?;
        reader.push(text)?;
        reader.finish()?;
        Ok(reader.into_answer())
    }

    /// What takes an answer to a chat apart as it comes.
    pub(super) fn parts_reader(&self, prompt: &str, options: &Options) -> Result<PartsReader<'_>> {
        let tools = options.chat.tools.as_deref();
        let special = self.tokenizer.added_tokens().into_iter().filter(|(_, is_special)| *is_special).map(|(token, _)| token);
        let special: Vec<String> = special.collect();
        if let Some(response) = self.response.as_ref().filter(|_| self.has_response_template()) {
            let reader = ResponseReader::new(response.template()?, prompt, tools.unwrap_or_default(), &special)?;
            return Ok(PartsReader::Template(Box::new(reader)));
        }
        let template = self.templates.choose(options.chat.chat_template.as_deref(), tools.is_some()).unwrap_or_default();
        let reader = AnswerReader::new(&AnswerFormat::of_template(template), prompt, tools.unwrap_or_default()).without_tokens(&special);
        let reader = if options.constraint.is_some() { reader.held_to_a_form() } else { reader };
        let goes_on = options.continue_final_message == Some(true);
        Ok(PartsReader::Marks(Box::new(if goes_on { reader.within_message(prompt) } else { reader })))
    }

    /// The message that an answer to a chat is: where the checkpoint says how (`response_template`), with its reasoning and its calls of
    /// tools apart.
    ///
    /// # Errors
    /// An answer that is not as the checkpoint says, such as a call whose arguments are not JSON.
    pub fn message(&self, answer: &Answer, options: &Options) -> Result<Map<String, Value>> {
        let Some(response) = &self.response else {
            return Ok(json!({"role": "assistant", "content": answer.text}).as_object().cloned().unwrap_or_default());
        };
        let prompt = answer.token_ids.len().saturating_sub(answer.generated.tokens.len());
        let prompt = answer.token_ids.get(..prompt).unwrap_or_default();
        let prompt = self.tokenizer.decode(prompt, self.skips_special_tokens(options), options.clean_up_tokenization_spaces)?;
        response.template()?.parse(&answer.text, &prompt, options.chat.tools.as_deref().unwrap_or_default())
    }

    /// What a response template reads has its marks, which are special tokens.
    pub(super) fn skips_special_tokens(&self, options: &Options) -> bool {
        options.skip_special_tokens && !self.has_response_template()
    }

    /// Whether the checkpoint says how answers are taken apart.
    pub(super) fn has_response_template(&self) -> bool {
        self.response.as_ref().is_some_and(Response::says_how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_compiled_once() {
        let config = json!({"response_template": {"start_anchor": ">", "fields": {"content": {}}}});
        let response = Response::of(Some(&config)).unwrap();
        assert!(response.template.get().is_none());
        assert!(std::ptr::eq(response.template().unwrap(), response.template().unwrap()));
        let wrong = Response::of(Some(&json!({"response_template": {"fields": 1}}))).unwrap();
        assert!(wrong.template().is_err() && wrong.template().is_err());
        assert!(Response::of(Some(&json!({"response_template": null}))).is_none());
    }
}

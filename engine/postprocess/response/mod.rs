//! `response_template` of `tokenizer_config.json`: how what a chat model wrote becomes a message, its reasoning and its calls of tools apart
//! from its content. As in version 5 of the reference, the template declares regions of the text, how each begins and ends, and how it
//! is read.

mod beginnings;
mod content;
mod parser;
mod pattern;
mod python;
mod reader;
mod template;
mod types;

use serde_json::{Map, Value};

pub use reader::ResponseReader;
pub use template::ResponseTemplate;

use crate::Result;

impl ResponseTemplate {
    /// The message in an answer.
    ///
    /// `prompt` is the text before the answer, special tokens included: its end may be the beginning of the message. `tools` are the
    /// JSON schemas that the model was given; arguments of their types are read as these.
    ///
    /// # Errors
    /// An answer that is not as the template says: arguments that are not JSON, or a field that is missing.
    pub fn parse(&self, text: &str, prompt: &str, tools: &[Value]) -> Result<Map<String, Value>> {
        parser::Parser::new(self, &[self.message_so_far(prompt)?, text].concat(), tools).run()
    }
}

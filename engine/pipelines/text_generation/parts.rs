//! An answer to a chat as it comes, its reasoning and its calls of tools apart.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Options, Pieces, Prompt, TextGeneration, defaults, goes_on, response::PartsReader};
use crate::{
    Error, ErrorKind, Result,
    config::GenerationConfig,
    postprocess::answer::{Answer, Part},
};

impl TextGeneration {
    /// The answer to a chat in parts, as it comes; dropping it ends the work. The parts together are what [`TextGeneration::parts`] makes
    /// of the whole text: nothing that was shown is taken back. Not with `num_beams`.
    pub fn stream_parts<'a>(&'a self, chat: &[Value], options: &Options) -> Result<AnswerParts<'a>> {
        let continue_final_message = Some(options.continue_final_message.unwrap_or_else(|| goes_on(chat)));
        let options = Options { skip_special_tokens: false, continue_final_message, ..options.clone() };
        let pieces = self.pieces(Prompt::Chat(chat), &options)?;
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(&options)?)?;
        let prompt = self.tokenizer.decode(&self.encode(Prompt::Chat(chat), &options, &config)?.ids, false, None)?;
        let reader = self.parts_reader(&prompt, &options)?;
        Ok(AnswerParts { pieces, tokens: 0, reader, ready: VecDeque::new(), ended: false, cut: None })
    }
}

/// An answer to a chat, part by part: an iterator.
#[derive(Debug)]
pub struct AnswerParts<'a> {
    pieces: Pieces<'a>,
    tokens: usize,
    reader: PartsReader<'a>,
    ready: VecDeque<Part>,
    ended: bool,
    /// What is told behind the last part.
    cut: Option<Error>,
}

impl AnswerParts<'_> {
    /// How many new tokens there are so far.
    pub fn token_count(&self) -> usize {
        self.tokens
    }

    /// The answer as far as it is certain.
    pub fn answer(&self) -> &Answer {
        self.reader.answer()
    }

    /// Takes more of the text.
    fn take(&mut self, text: &str) -> Result<()> {
        self.ready.extend(self.reader.push(text)?);
        if self.ended {
            self.ready.extend(self.reader.finish()?);
        }
        Ok(())
    }
}

impl Iterator for AnswerParts<'_> {
    type Item = Result<Part>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Some(Ok(part));
            }
            if self.ended {
                return self.cut.take().map(Err);
            }
            let text = match self.pieces.next() {
                Some(Ok(piece)) => {
                    self.tokens += piece.tokens.len();
                    piece.text
                }
                Some(Err(error)) => {
                    self.ended = true;
                    if error.kind() != ErrorKind::Incomplete {
                        return Some(Err(error));
                    }
                    // What came of it is shown before that is told.
                    self.cut = Some(error);
                    String::new()
                }
                None => {
                    self.ended = true;
                    String::new()
                }
            };
            if let Err(error) = self.take(&text) {
                self.ended = true;
                return Some(Err(self.cut.take().unwrap_or(error)));
            }
        }
    }
}

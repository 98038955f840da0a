//! An answer to a chat as it comes, its reasoning and its calls of tools apart.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Options, Pieces, Prompt, TextGeneration, defaults};
use crate::{
    Result,
    config::GenerationConfig,
    postprocess::answer::{Answer, AnswerReader, Part},
};

/// No mark of any template is longer: what may be the beginning of one is held back so far.
const LONGEST_MARK: usize = 40;

impl TextGeneration {
    /// The answer to a chat in parts, as it comes; dropping it ends the work. The parts together are what [`TextGeneration::parts`] makes
    /// of the whole text: nothing that was shown is taken back. Not with `num_beams`.
    pub fn stream_parts<'a>(&'a self, chat: &[Value], options: &Options) -> Result<AnswerParts<'a>> {
        let options = Options { skip_special_tokens: false, ..options.clone() };
        let pieces = self.pieces(Prompt::Chat(chat), &options)?;
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(&options)?)?;
        let prompt = self.tokenizer.decode(&self.encode(Prompt::Chat(chat), &options, &config)?.ids, false, None)?;
        let reading = match self.has_response_template() {
            true => Reading::Template(Box::new(Templated { options, prompt, text: String::new(), shown: Answer::default() })),
            false => Reading::Marks(Box::new(self.answer_reader(&prompt, &options))),
        };
        Ok(AnswerParts { generate: self, pieces, tokens: 0, reading, ready: VecDeque::new(), ended: false })
    }
}

/// An answer to a chat, part by part: an iterator.
#[derive(Debug)]
pub struct AnswerParts<'a> {
    generate: &'a TextGeneration,
    pieces: Pieces<'a>,
    tokens: usize,
    reading: Reading,
    ready: VecDeque<Part>,
    ended: bool,
}

/// What takes the answer apart.
#[derive(Debug)]
enum Reading {
    /// The marks of the model's family.
    Marks(Box<AnswerReader>),
    /// The checkpoint's `response_template`.
    Template(Box<Templated>),
}

/// An answer that a response template takes apart.
#[derive(Debug)]
struct Templated {
    options: Options,
    prompt: String,
    text: String,
    shown: Answer,
}

impl AnswerParts<'_> {
    /// How many new tokens there are so far.
    pub fn token_count(&self) -> usize {
        self.tokens
    }

    /// The answer as far as it is certain.
    pub fn answer(&self) -> &Answer {
        match &self.reading {
            Reading::Marks(reader) => reader.answer(),
            Reading::Template(templated) => &templated.shown,
        }
    }

    /// Takes more of the text.
    fn take(&mut self, text: &str) -> Result<()> {
        match &mut self.reading {
            Reading::Marks(reader) => {
                self.ready.extend(reader.push(text));
                if self.ended {
                    self.ready.extend(reader.finish());
                }
            }
            Reading::Template(templated) => {
                templated.text.push_str(text);
                self.ready.extend(templated.show(self.generate, self.ended)?);
            }
        }
        Ok(())
    }
}

impl Templated {
    /// What the text so far has beyond what was shown. Before the end that is what stays whatever follows.
    fn show(&mut self, generate: &TextGeneration, ended: bool) -> Result<Vec<Part>> {
        let answer = match generate.parts(&self.text, &self.prompt, &self.options) {
            Ok(answer) => answer,
            // What is not complete may not be readable yet.
            Err(_) if !ended => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut parts = Vec::new();
        let reasoning = answer.reasoning_content.as_deref().unwrap_or_default();
        // Behind the reasoning comes the rest.
        let settled = if ended || !answer.content.is_empty() { reasoning } else { certain(reasoning) };
        let before = self.shown.reasoning_content.as_deref().unwrap_or_default();
        if let Some(more) = settled.strip_prefix(before).filter(|more| !more.is_empty()) {
            parts.push(Part::Reasoning(more.to_owned()));
            self.shown.reasoning_content = Some(settled.to_owned());
        }
        let settled = if ended { &answer.content } else { certain(&answer.content) };
        if let Some(more) = settled.strip_prefix(&self.shown.content).filter(|more| !more.is_empty()) {
            parts.push(Part::Content(more.to_owned()));
            self.shown.content = settled.to_owned();
        }
        if ended {
            parts.extend(answer.tool_calls.iter().cloned().map(Part::Call));
            self.shown = answer;
        }
        Ok(parts)
    }
}

/// What of a text stays as it is, whatever follows: it may end with the beginning of a mark.
fn certain(text: &str) -> &str {
    let from = text.char_indices().rev().nth(LONGEST_MARK).map_or(0, |(place, _)| place);
    let mark = text.get(from..).and_then(|tail| tail.find(['<', '[', '{', '`'])).map_or(text.len(), |place| from + place);
    text.get(..mark).unwrap_or_default().trim_end()
}

impl Iterator for AnswerParts<'_> {
    type Item = Result<Part>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Some(Ok(part));
            }
            if self.ended {
                return None;
            }
            let text = match self.pieces.next() {
                Some(Ok(piece)) => {
                    self.tokens += piece.tokens.len();
                    piece.text
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    String::new()
                }
            };
            if let Err(error) = self.take(&text) {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}

//! An answer to a chat as it comes, its reasoning and its calls of tools apart.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Options, Pieces, Prompt, TextGeneration, defaults};
use crate::{
    Result,
    config::GenerationConfig,
    postprocess::answer::{Answer, CALL_MARKS, ToolCall},
};

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// More of the reasoning.
    Reasoning(String),
    /// More of the answer itself.
    Content(String),
    /// A call of a tool; calls come at the end.
    Call(ToolCall),
}

/// No mark of any family is longer: what may be the beginning of one is held back so far.
const LONGEST_MARK: usize = 40;

impl TextGeneration {
    /// The answer to a chat in parts, as it comes; dropping it ends the work. Not with `num_beams`.
    pub fn stream_parts<'a>(&'a self, chat: &[Value], options: &Options) -> Result<AnswerParts<'a>> {
        let options = Options { skip_special_tokens: false, ..options.clone() };
        let pieces = self.pieces(Prompt::Chat(chat), &options)?;
        let config = GenerationConfig::resolve(&self.defaults, &defaults(), &self.arguments(&options)?)?;
        let prompt = self.tokenizer.decode(&self.encode(Prompt::Chat(chat), &options, &config)?.ids, false, None)?;
        Ok(AnswerParts {
            generate: self,
            options,
            pieces,
            tokens: 0,
            special: Vec::new(),
            prompt,
            text: String::new(),
            shown: Answer::default(),
            ready: VecDeque::new(),
            ended: false,
        })
    }
}

/// An answer to a chat, part by part: an iterator.
#[derive(Debug)]
pub struct AnswerParts<'a> {
    generate: &'a TextGeneration,
    options: Options,
    pieces: Pieces<'a>,
    tokens: usize,
    /// The special tokens that came, each once.
    special: Vec<String>,
    prompt: String,
    text: String,
    shown: Answer,
    ready: VecDeque<Part>,
    ended: bool,
}

impl AnswerParts<'_> {
    /// How many new tokens there are so far.
    pub fn token_count(&self) -> usize {
        self.tokens
    }

    /// The answer as far as it came.
    pub fn answer(&self) -> &Answer {
        &self.shown
    }

    fn count(&mut self, id: u32) {
        self.tokens += 1;
        let tokenizer = &self.generate.tokenizer;
        let special = if tokenizer.is_special_token(id) { tokenizer.id_to_token(id) } else { None };
        self.special.extend(special.filter(|token| !self.special.contains(token)));
    }

    /// The answer in the text so far, without special tokens.
    fn read(&self) -> Result<Answer> {
        let special = self.special.as_slice();
        let mut text = self.text.as_str();
        // The token that ended it belongs to no part. A response template counts with it.
        while let Some(token) =
            special.iter().find(|token| text.ends_with(token.as_str())).filter(|_| !self.generate.has_response_template())
        {
            text = &text[..text.len() - token.len()];
        }
        let mut answer = self.generate.parts(text, &self.prompt, &self.options)?;
        for token in special {
            answer.content = answer.content.replace(token, "");
            answer.reasoning_content = answer.reasoning_content.map(|text| text.replace(token, ""));
        }
        Ok(answer)
    }

    /// Shows what the text so far has beyond what was shown; before the end without what may turn out to be a mark.
    fn show(&mut self) -> Result<()> {
        let answer = match self.read() {
            Ok(answer) => answer,
            // What is not complete may not be readable yet.
            Err(_) if !self.ended => return Ok(()),
            Err(error) => return Err(error),
        };
        let reasoning = answer.reasoning_content.as_deref().unwrap_or_default();
        // Behind the reasoning comes the rest.
        let settled = if self.ended || !answer.content.is_empty() { reasoning } else { certain(reasoning) };
        let before = self.shown.reasoning_content.as_deref().unwrap_or_default();
        if let Some(more) = settled.strip_prefix(before).filter(|more| !more.is_empty()) {
            self.ready.push_back(Part::Reasoning(more.to_owned()));
            self.shown.reasoning_content = Some(settled.to_owned());
        }
        let settled = if self.ended { &answer.content } else { certain(&answer.content) };
        if let Some(more) = settled.strip_prefix(&self.shown.content).filter(|more| !more.is_empty()) {
            self.ready.push_back(Part::Content(more.to_owned()));
            self.shown.content = settled.to_owned();
        }
        if self.ended {
            self.ready.extend(answer.tool_calls.iter().cloned().map(Part::Call));
            self.shown = answer;
        }
        Ok(())
    }
}

/// What of a text stays as it is, whatever follows: it may end with the beginning of a mark, and a call in it that is not complete may turn
/// out to be none.
fn certain(text: &str) -> &str {
    let begin = text.trim_start();
    if begin.starts_with(['{', '[']) || begin.starts_with("Action:") || "Action:".starts_with(begin) {
        return "";
    }
    let call = CALL_MARKS.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    let text = text.get(..call).unwrap_or_default();
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
            match self.pieces.next() {
                Some(Ok(piece)) => {
                    piece.tokens.iter().for_each(|token| self.count(token.id));
                    self.text.push_str(&piece.text);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => self.ended = true,
            }
            if let Err(error) = self.show() {
                return Some(Err(error));
            }
        }
    }
}

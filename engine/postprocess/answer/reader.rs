//! An answer, taken apart as it comes.

mod fence;
mod shown;
mod steps;

use serde_json::Value;

use super::{
    Answer, ToolCall,
    flow::Flow,
    format::{AnswerFormat, Kind, every_reasoning},
    region::Region,
    scan::{Before, Candidate},
    tools::Tools,
};

pub(super) use fence::FENCE;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// More of the reasoning.
    Reasoning(String),
    /// More of the answer itself.
    Content(String),
    /// A call of a tool.
    Call(ToolCall),
}

/// Takes an answer apart as it comes. What it has given stays, and at the end is the answer that the whole text is: only what may still
/// become a mark is held back.
#[derive(Debug, Clone)]
pub struct AnswerReader {
    format: AnswerFormat,
    tools: Tools,
    is_free: bool,
    /// Tokens that are no text.
    tokens: Vec<String>,
    /// What has not been read.
    text: String,
    /// So many bytes of it stand in the prompt.
    in_prompt: usize,
    /// Whether the answer may begin inside of reasoning that a prompt opened which nobody knows.
    is_undecided: bool,
    /// So long was the text when it was read in vain.
    waiting: usize,
    region: Region,
    watched: Vec<Candidate>,
    before: Before,
    content: Flow,
    reasoning: Flow,
    /// Whether there was anything but text.
    has_other: bool,
    answer: Answer,
    parts: Vec<Part>,
}

/// No closing mark is longer.
const LONGEST_MARK: usize = 64;

impl AnswerReader {
    /// Begins an answer; the arguments are those of [`super::parse_answer`].
    #[must_use]
    pub fn new(format: &AnswerFormat, prompt: &str, tools: &[Value]) -> Self {
        let opened: Vec<&'static str> =
            every_reasoning().filter(|marks| prompt.trim_end().ends_with(marks.open)).map(|marks| marks.close).collect();
        let begun = format.format.begins_in_prompt.and_then(|mark| prompt.get(prompt.rfind(mark)?..)).unwrap_or_default();
        let mut reader = Self {
            format: format.clone(),
            tools: Tools::new(tools),
            is_free: true,
            tokens: Vec::new(),
            text: begun.to_owned(),
            in_prompt: begun.len(),
            is_undecided: prompt.is_empty(),
            waiting: 0,
            region: Region::Plain,
            watched: Vec::new(),
            before: Before { is_start: true, is_line: true, last: None },
            content: Flow::default(),
            reasoning: Flow::default(),
            has_other: false,
            answer: Answer::default(),
            parts: Vec::new(),
        };
        if opened.is_empty() {
            reader.enter(Region::Plain);
        } else {
            reader.begin_reasoning(opened);
        }
        reader
    }

    /// Leaves tokens out of the text that are no marks of the format, such as the one that ends the answer.
    #[must_use]
    pub fn without_tokens(mut self, tokens: &[String]) -> Self {
        let marks = self.format.format.marks.iter().map(|mark| mark.text);
        let marks: Vec<&str> = marks.chain(self.format.reasoning.iter().flat_map(|marks| [marks.open, marks.close])).collect();
        self.tokens = tokens.iter().filter(|token| !token.is_empty() && !marks.contains(&token.as_str())).cloned().collect();
        self.enter(self.region.clone());
        self
    }

    /// The prompt ends inside of the message, whose beginning it has: reasoning that is open there goes on.
    #[must_use]
    pub fn within_message(mut self, prompt: &str) -> Self {
        let last = every_reasoning().filter_map(|marks| Some((prompt.rfind(marks.open)?, marks))).max_by_key(|(place, _)| *place);
        if let Some((place, marks)) = last
            && matches!(self.region, Region::Plain)
            && !prompt.get(place..).unwrap_or_default().contains(marks.close)
        {
            self.begin_reasoning(vec![marks.close]);
        }
        self
    }

    /// The answer is held to a form of its own, which is no call although it may look like one.
    #[must_use]
    pub fn held_to_a_form(mut self) -> Self {
        self.is_free = false;
        self
    }

    /// Takes more of the answer, and gives what is certain now.
    pub fn push(&mut self, text: &str) -> Vec<Part> {
        self.text.push_str(text);
        // A long call is not read anew with every token: only behind what looks like a closing mark, or where it is longer by a part.
        let (before, behind) = self.text.rsplit_once('<').unwrap_or_default();
        let is_mark = self.text.ends_with("|>") || behind.ends_with('>') && behind.starts_with(['/', '|', '｜']);
        if is_mark && behind.len() < LONGEST_MARK && !before.is_empty()
            || self.text.len() - self.waiting.min(self.text.len()) >= self.waiting / 64
        {
            self.read(false);
            self.waiting = self.text.len();
        }
        std::mem::take(&mut self.parts)
    }

    /// Ends the answer, and gives the rest of it.
    pub fn finish(&mut self) -> Vec<Part> {
        while let Some(token) = self.tokens.iter().find(|token| self.text.ends_with(token.as_str())) {
            self.text.truncate(self.text.len() - token.len());
        }
        self.read(true);
        if matches!(self.region, Region::Plain) && !self.has_other {
            // White space beside reasoning and calls is no part of the answer; else it is.
            let space = self.content.rest();
            self.show(Kind::Content, space);
        }
        std::mem::take(&mut self.parts)
    }

    /// The answer as far as it is certain.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The answer as far as it is certain.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        self.answer
    }

    fn read(&mut self, whole: bool) {
        if self.is_undecided {
            if !whole {
                return;
            }
            self.decide();
        }
        // Every step takes a part of the text, or goes from a region into none.
        while self.step(whole) {}
    }

    /// So much of the text is not a token, or the beginning of one, that may be the last of the answer.
    fn settled(&self) -> usize {
        let mut end = self.text.len();
        loop {
            let text = self.text.get(..end).unwrap_or_default();
            let Some(token) = self.tokens.iter().filter_map(|token| overlap(text, token)).max() else { return end };
            end -= token;
        }
    }
}

/// How much of the end of a text is a token, or the beginning of one.
fn overlap(text: &str, token: &str) -> Option<usize> {
    (1..=token.len().min(text.len())).rev().find(|length| {
        let start = text.len() - length;
        text.is_char_boundary(start) && token.is_char_boundary(*length) && text.get(start..) == token.get(..*length)
    })
}

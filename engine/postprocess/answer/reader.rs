//! An answer, taken apart as it comes.

use serde_json::Value;

use super::{
    Answer, ToolCall,
    cursor::{Cursor, Step, Stop},
    flow::Flow,
    format::{AnswerFormat, Found, Kind, Mark, Place, Scene, every_reasoning},
    region::Region,
    scan::{self, Action, Before, Candidate, Hit},
    tools::Tools,
};

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

    /// Reads up to the next mark and what it begins; whether there may be more.
    fn step(&mut self, whole: bool) -> bool {
        let end = if whole { self.text.len() } else { self.settled() };
        let text = self.text.get(..end).unwrap_or_default();
        let (at, action, length) = match scan::next(text, whole, self.before, &self.watched) {
            Hit::Text => {
                self.take_text(end);
                return false;
            }
            Hit::Maybe(at) => {
                self.take_text(at);
                return false;
            }
            Hit::Mark(at, candidate) => (at, candidate.action, candidate.text.len()),
        };
        self.take_text(at);
        let end = end - at;
        match action {
            Action::Skip => self.consume(length),
            // What the text itself opened, it may close.
            Action::Stray(marks) => {
                let count = |mark: &str| self.answer.content.matches(mark).count();
                if count(marks.open) > count(marks.close) {
                    self.take_text(length);
                } else {
                    self.consume(length);
                    self.beside();
                }
            }
            Action::Open(marks) => {
                self.consume(length);
                self.begin_reasoning(vec![marks.close]);
            }
            Action::Close => {
                self.consume(length);
                self.end_region();
            }
            Action::CloseBefore => self.end_region(),
            Action::Read(mark) => return self.read_mark(mark, end, whole),
        }
        true
    }

    /// Reads what a mark begins that the text begins with.
    fn read_mark(&mut self, mark: &'static Mark, end: usize, whole: bool) -> bool {
        let text = self.text.get(..end).unwrap_or_default();
        let (read, taken) = self.read_at(mark, text, 0, whole);
        match read {
            Err(Stop::More) => return false,
            Err(Stop::No) => self.take_text(mark.text.len()),
            Ok(Found::Nothing) => self.consume(taken),
            Ok(Found::Text(kind, marks)) => {
                self.consume(taken);
                self.end_region();
                self.flow(kind).begin("\n", true);
                self.enter(Region::Text(kind, marks));
            }
            Ok(Found::Calls(calls)) => {
                if matches!(self.region, Region::Reasoning(_)) {
                    match self.ends_behind(text, taken, whole) {
                        None => return false,
                        Some(true) => {
                            self.take_text(taken);
                            return true;
                        }
                        Some(false) => {}
                    }
                }
                let is_new = taken > self.in_prompt;
                self.consume(taken);
                self.end_region();
                self.beside();
                self.before.is_line = true;
                for call in calls.into_iter().filter(|_| is_new) {
                    self.answer.tool_calls.push(call.clone());
                    self.parts.push(Part::Call(call));
                }
            }
        }
        true
    }

    /// What a mark at a place begins, and where that ends.
    fn read_at(&self, mark: &'static Mark, text: &str, at: usize, whole: bool) -> (Step<Found>, usize) {
        let mut cursor = Cursor::behind_mark(text, at, mark.text.len(), whole);
        let scene = Scene { tools: &self.tools, mark: mark.text, is_free: self.is_free };
        let read = (mark.read)(&mut cursor, &scene);
        (read, cursor.at().max(at + mark.text.len()))
    }

    /// Whether a mark that ends the region comes behind a place, and not inside of a call. `None` where what follows decides.
    fn ends_behind(&self, text: &str, mut at: usize, whole: bool) -> Option<bool> {
        let mut before = self.before.behind(text.get(..at).unwrap_or_default());
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let (place, candidate) = match scan::next(rest, whole, before, &self.watched) {
                Hit::Mark(place, candidate) => (at + place, candidate),
                Hit::Maybe(_) => return None,
                Hit::Text => return whole.then_some(false),
            };
            let end = match candidate.action {
                Action::Close | Action::CloseBefore => return Some(true),
                Action::Open(_) => return Some(false),
                Action::Skip | Action::Stray(_) => place + candidate.text.len(),
                Action::Read(mark) => match self.read_at(mark, text, place, whole) {
                    (Err(Stop::More), _) => return None,
                    (Err(Stop::No), _) => place + mark.text.len(),
                    (Ok(_), end) => end,
                },
            };
            before = before.behind(text.get(at..end).unwrap_or_default());
            at = end;
        }
    }

    /// Where the prompt is not known, a closing mark that nothing opens tells that it opened the reasoning.
    fn decide(&mut self) {
        self.is_undecided = false;
        if !matches!(self.region, Region::Plain) {
            return;
        }
        let closes: Vec<&'static str> = self.format.reasoning.iter().map(|marks| marks.close).collect();
        let opens = self.format.reasoning.iter().map(|marks| Candidate::new(marks.open, Place::Anywhere, Action::Open(*marks)));
        let opens: Vec<Candidate> = opens.collect();
        let mut tried = self.clone();
        tried.enter(Region::Reasoning(closes.clone()));
        tried.watched.extend(opens);
        if tried.ends_behind(&tried.text, 0, true) == Some(true) {
            self.begin_reasoning(closes);
        }
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

    /// Shows text up to a place as what it is part of.
    fn take_text(&mut self, end: usize) {
        let kind = match self.region {
            Region::Plain => Kind::Content,
            Region::Reasoning(_) => Kind::Reasoning,
            Region::Text(kind, _) => kind,
        };
        let new = self.text.get(self.in_prompt.min(end)..end).unwrap_or_default().to_owned();
        let is_start = self.before.is_start;
        self.consume(end);
        // What was skipped or is reasoning is nothing of the answer itself.
        self.before.is_start = is_start && (new.trim().is_empty() || kind == Kind::Reasoning);
        if let Some(shown) = self.flow(kind).add(&new) {
            self.show(kind, shown);
        }
    }

    fn show(&mut self, kind: Kind, text: String) {
        if text.is_empty() {
            return;
        }
        match kind {
            Kind::Content => {
                self.answer.content.push_str(&text);
                self.parts.push(Part::Content(text));
            }
            Kind::Reasoning => {
                self.answer.reasoning_content.get_or_insert_default().push_str(&text);
                self.parts.push(Part::Reasoning(text));
            }
        }
    }

    /// Leaves the text behind up to a place.
    fn consume(&mut self, end: usize) {
        let taken: String = self.text.drain(..end.min(self.text.len())).collect();
        self.before = Before { is_start: self.before.is_start, ..self.before.behind(&taken) };
        self.in_prompt = self.in_prompt.saturating_sub(taken.len());
    }

    fn flow(&mut self, kind: Kind) -> &mut Flow {
        match kind {
            Kind::Content => &mut self.content,
            Kind::Reasoning => &mut self.reasoning,
        }
    }

    fn begin_reasoning(&mut self, closes: Vec<&'static str>) {
        self.answer.reasoning_content.get_or_insert_default();
        self.beside();
        self.reasoning.begin("\n", true);
        self.enter(Region::Reasoning(closes));
    }

    fn end_region(&mut self) {
        match self.region {
            Region::Plain => return,
            Region::Reasoning(_) | Region::Text(Kind::Reasoning, _) => self.reasoning.end(),
            Region::Text(Kind::Content, _) => self.content.end(),
        }
        self.enter(Region::Plain);
    }

    /// Something that is no text stands here.
    fn beside(&mut self) {
        self.has_other = true;
        self.content.beside();
    }

    /// What to look for in a region.
    fn enter(&mut self, region: Region) {
        self.before.is_line = true;
        self.watched = region.watched(&self.format, &self.tokens);
        self.region = region;
    }
}

/// How much of the end of a text is a token, or the beginning of one.
fn overlap(text: &str, token: &str) -> Option<usize> {
    (1..=token.len().min(text.len())).rev().find(|length| {
        let start = text.len() - length;
        text.is_char_boundary(start) && token.is_char_boundary(*length) && text.get(start..) == token.get(..*length)
    })
}

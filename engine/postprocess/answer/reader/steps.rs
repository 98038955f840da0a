//! From mark to mark: what comes next in an answer, and what it begins or ends.

use super::super::{
    ToolCall,
    cursor::{Cursor, Step, Stop},
    format::{Found, Mark, Place, Scene},
    region::Region,
    scan::{self, Action, Candidate, Hit},
};
use super::{AnswerReader, Part};

impl AnswerReader {
    /// Reads up to the next mark and what it begins; whether there may be more.
    pub(super) fn step(&mut self, whole: bool) -> bool {
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
            Action::Fence => return self.read_fence(length, end, whole),
            Action::Read(mark) => return self.read_mark(mark, end, whole),
        }
        true
    }

    /// Reads what a mark begins that the text begins with.
    fn read_mark(&mut self, mark: &'static Mark, end: usize, whole: bool) -> bool {
        let text = self.text.get(..end).unwrap_or_default();
        let (read, taken) = self.read_at(mark, text, 0, whole, None);
        let (read, taken) = if matches!(read, Err(Stop::No)) { self.read_again(mark, text, whole) } else { (read, taken) };
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
                self.take_calls(calls, taken);
            }
        }
        true
    }

    /// Reads the fence that the text begins with.
    fn read_fence(&mut self, length: usize, end: usize, whole: bool) -> bool {
        match self.fenced(self.text.get(..end).unwrap_or_default(), whole) {
            Err(Stop::More) => return false,
            Err(Stop::No) => self.take_text(length),
            Ok((calls, taken)) => self.take_calls(calls, taken),
        }
        true
    }

    /// Leaves calls behind that the text begins with.
    fn take_calls(&mut self, calls: Vec<ToolCall>, taken: usize) {
        let is_new = taken > self.in_prompt;
        self.consume(taken);
        self.end_region();
        self.beside();
        self.before.is_line = true;
        for mut call in calls.into_iter().filter(|_| is_new) {
            call.name = self.tools.named(call.name);
            self.answer.tool_calls.push(call.clone());
            self.parts.push(Part::Call(call));
        }
    }

    /// What a mark at a place begins, and where that ends; `ends` is a mark that ends the text as well.
    pub(super) fn read_at(
        &self,
        mark: &'static Mark,
        text: &str,
        at: usize,
        whole: bool,
        ends: Option<&'static str>,
    ) -> (Step<Found>, usize) {
        let mut cursor = Cursor::behind_mark(text, at, mark.text.len(), whole);
        let scene = Scene { tools: &self.tools, mark: mark.text, is_free: self.is_free, ends };
        let read = (mark.read)(&mut cursor, &scene);
        (read, cursor.at().max(at + mark.text.len()))
    }

    /// What a mark begins that stands twice, where the text begins with it and the first says nothing.
    fn read_again(&self, mark: &'static Mark, text: &str, whole: bool) -> (Step<Found>, usize) {
        let mut cursor = Cursor::behind_mark(text, 0, mark.text.len(), whole);
        match cursor.takes_behind_space(mark.text) {
            Ok(true) if mark.place == Place::Anywhere => self.read_at(mark, text, cursor.at() - mark.text.len(), whole, None),
            Err(Stop::More) if mark.place == Place::Anywhere => (Err(Stop::More), 0),
            _ => (Err(Stop::No), 0),
        }
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
                Action::Fence => place + candidate.text.len(),
                Action::Read(mark) => match self.read_at(mark, text, place, whole, None) {
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
    pub(super) fn decide(&mut self) {
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
}

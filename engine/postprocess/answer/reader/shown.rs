//! What is shown of an answer, as what, and where the reader stands in it.

use super::super::{flow::Flow, format::Kind, region::Region, scan::Before};
use super::{AnswerReader, Part};

impl AnswerReader {
    /// Shows text up to a place as what it is part of.
    pub(super) fn take_text(&mut self, end: usize) {
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

    pub(super) fn show(&mut self, kind: Kind, text: String) {
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
    pub(super) fn consume(&mut self, end: usize) {
        let taken: String = self.text.drain(..end.min(self.text.len())).collect();
        self.before = Before { is_start: self.before.is_start, ..self.before.behind(&taken) };
        self.in_prompt = self.in_prompt.saturating_sub(taken.len());
    }

    pub(super) fn flow(&mut self, kind: Kind) -> &mut Flow {
        match kind {
            Kind::Content => &mut self.content,
            Kind::Reasoning => &mut self.reasoning,
        }
    }

    pub(super) fn begin_reasoning(&mut self, closes: Vec<&'static str>) {
        self.answer.reasoning_content.get_or_insert_default();
        self.beside();
        self.reasoning.begin("\n", true);
        self.enter(Region::Reasoning(closes));
    }

    pub(super) fn end_region(&mut self) {
        match self.region {
            Region::Plain => return,
            Region::Reasoning(_) | Region::Text(Kind::Reasoning, _) => self.reasoning.end(),
            Region::Text(Kind::Content, _) => self.content.end(),
        }
        self.enter(Region::Plain);
    }

    /// Something that is no text stands here.
    pub(super) fn beside(&mut self) {
        self.has_other = true;
        self.content.beside();
    }

    /// What to look for in a region.
    pub(super) fn enter(&mut self, region: Region) {
        self.before.is_line = true;
        self.watched = region.watched(&self.format, &self.tokens);
        self.region = region;
    }
}

//! What a format is, and how a chat template tells which it is.

use super::{
    ToolCall,
    cursor::{Cursor, Step},
    formats::FORMATS,
    tools::Tools,
};

/// How a family writes reasoning and calls: all that is known of it.
#[derive(Debug)]
pub(super) struct Format {
    /// What it is called, by the family that has it.
    pub name: &'static str,
    /// A chat template that has all texts of one of these lists is of this format.
    pub templates: &'static [&'static [&'static str]],
    /// The marks around reasoning.
    pub reasoning: &'static [Reasoning],
    /// What something other than text begins with.
    pub marks: &'static [Mark],
    /// Marks that stand around text and say nothing.
    pub silent: &'static [&'static str],
    /// The answer goes on from the last of these in the prompt: a header that the model ends.
    pub begins_in_prompt: Option<&'static str>,
}

impl Format {
    /// A format with nothing in it, to begin with.
    pub(super) const NONE: Self = Self { name: "", templates: &[], reasoning: &[], marks: &[], silent: &[], begins_in_prompt: None };
}

/// Marks around reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reasoning {
    pub open: &'static str,
    pub close: &'static str,
    /// Where the opening mark opens anything.
    pub place: Place,
}

impl Reasoning {
    /// Marks of which the first stands where an answer begins, as nearly everywhere.
    pub(super) const fn first(open: &'static str, close: &'static str) -> Self {
        Self { open, close, place: Place::Start }
    }
}

/// The marks that most models have.
pub(super) const THINK: Reasoning = Reasoning::first("<think>", "</think>");

/// A mark, and what reads on behind it.
#[derive(Debug)]
pub(super) struct Mark {
    pub text: &'static str,
    pub place: Place,
    /// Reads what the mark begins. The cursor stands behind the mark, and is left behind all that belongs to what is found. `Stop::No`
    /// makes the mark a text as any other.
    pub read: Read,
}

/// Reads what a mark begins.
pub(super) type Read = fn(&mut Cursor<'_>, &Scene<'_>) -> Step<Found>;

impl Mark {
    /// A mark that counts wherever it stands.
    pub(super) const fn anywhere(text: &'static str, read: Read) -> Self {
        Self { text, place: Place::Anywhere, read }
    }

    /// A mark that counts where the answer begins, or behind the reasoning.
    pub(super) const fn at_start(text: &'static str, read: Read) -> Self {
        Self { text, place: Place::Start, read }
    }

    /// A mark that counts where a line begins.
    pub(super) const fn at_line(text: &'static str, read: Read) -> Self {
        Self { text, place: Place::Line, read }
    }
}

/// Where a mark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// Where a line begins.
    Line,
    /// Before any text of the answer itself.
    Start,
}

/// What a reader knows beside the text.
#[derive(Debug)]
pub(super) struct Scene<'s> {
    pub tools: &'s Tools,
    /// The mark that was found.
    pub mark: &'static str,
    /// Whether the answer may be anything, and is not held to a form that only looks like a call.
    pub is_free: bool,
    /// A mark that ends the answer as its end does.
    pub ends: Option<&'static str>,
}

impl Scene<'_> {
    /// Whether nothing of the answer follows.
    pub(super) fn is_over(&self, cursor: &Cursor<'_>) -> Step<bool> {
        Ok(cursor.is_over()? || self.ends.map_or(Ok(false), |mark| cursor.comes(mark))?)
    }

    /// Whether something without marks of its own, which may be an answer just as well, is a call: of a tool that was given.
    pub(super) fn is_call(&self, call: &ToolCall) -> bool {
        self.is_free && self.tools.has(&call.name)
    }
}

/// What a mark begins.
#[derive(Debug)]
pub(super) enum Found {
    Calls(Vec<ToolCall>),
    /// A text of a kind, up to the first of some marks. One of them that is among the format's marks begins something itself.
    Text(Kind, &'static [&'static str]),
    /// Nothing that is shown.
    Nothing,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Content,
    Reasoning,
}

/// How the answers of a model are written: which format its calls have, and which marks its reasoning.
#[derive(Debug, Clone)]
pub struct AnswerFormat {
    pub(super) format: &'static Format,
    /// The marks of reasoning that may open it.
    pub(super) reasoning: Vec<Reasoning>,
    /// Of these, those that the chat template has: a closing mark of these that nothing opened is no text.
    pub(super) known: Vec<Reasoning>,
}

impl AnswerFormat {
    /// The format that a chat template is written for.
    #[must_use]
    pub fn of_template(template: &str) -> Self {
        let has_all = |marks: &&[&str]| marks.iter().all(|mark| template.contains(mark));
        let format = FORMATS.iter().copied().find(|format| format.templates.iter().any(has_all)).unwrap_or(&Format::NONE);
        let known = every_reasoning().filter(|marks| template.contains(marks.open) || template.contains(marks.close));
        Self::new(format, known.collect())
    }

    /// A format by its name, such as `hermes` or `mistral`; `None` where none is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().copied().find(|format| format.name == name).map(|format| Self::new(format, Vec::new()))
    }

    /// Of a model whose chat template is not known: reasoning between the marks of any family, no calls.
    #[must_use]
    pub fn unknown() -> Self {
        Self { format: &Format::NONE, reasoning: every_reasoning().collect(), known: Vec::new() }
    }

    /// The name of the format of calls; `None` where the chat template tells none.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Some(self.format.name).filter(|name| !name.is_empty())
    }

    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|format| format.name)
    }

    fn new(format: &'static Format, known: Vec<Reasoning>) -> Self {
        let mut reasoning = known.clone();
        // Models are trained further without a word of it in their templates.
        for marks in format.reasoning.iter().chain([&THINK]) {
            if !reasoning.contains(marks) {
                reasoning.push(*marks);
            }
        }
        Self { format, reasoning, known }
    }
}

/// The marks of reasoning of all formats, each once.
pub(super) fn every_reasoning() -> impl Iterator<Item = Reasoning> {
    let all: Vec<Reasoning> = FORMATS.iter().flat_map(|format| format.reasoning).copied().collect();
    let first = |place: usize| !all.iter().take(place).any(|before| Some(before) == all.get(place));
    let once: Vec<Reasoning> = (0..all.len()).filter(|place| first(*place)).filter_map(|place| all.get(place).copied()).collect();
    once.into_iter()
}

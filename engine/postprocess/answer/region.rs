//! What a text is part of, and what may come in it.

use super::{
    format::{AnswerFormat, Kind, Place, Reasoning},
    reader::FENCE,
    scan::{Action, Candidate},
};

/// What the text is part of.
#[derive(Debug, Clone)]
pub(super) enum Region {
    /// The answer itself.
    Plain,
    /// Reasoning, up to one of some marks. A call in it is one where none of these comes any more.
    Reasoning(Vec<&'static str>),
    /// A text that the format opened, up to one of some marks.
    Text(Kind, &'static [&'static str]),
}

impl Region {
    /// What to look for in it, beside tokens that are no text.
    pub(super) fn watched(&self, answers: &AnswerFormat, tokens: &[String]) -> Vec<Candidate> {
        let format = answers.format;
        let is_mark = |text: &str| format.marks.iter().any(|mark| mark.text == text);
        let mut watched = Vec::new();
        let reads = |watched: &mut Vec<Candidate>, in_answer: bool| {
            let marks = format.marks.iter().filter(|mark| in_answer || mark.place != Place::Start);
            watched.extend(marks.map(|mark| Candidate::new(mark.text, mark.place, Action::Read(mark))));
        };
        match self {
            Self::Plain => {
                reads(&mut watched, true);
                if !format.marks.is_empty() {
                    watched.push(Candidate::new(FENCE, Place::Line, Action::Fence));
                }
                let open = |marks: &Reasoning| Candidate::new(marks.open, marks.place, Action::Open(*marks));
                watched.extend(answers.reasoning.iter().map(open));
                let stray = |marks: &Reasoning| Candidate::new(marks.close, Place::Anywhere, Action::Stray(*marks));
                watched.extend(answers.known.iter().map(stray));
            }
            Self::Reasoning(closes) => {
                watched.extend(closes.iter().map(|close| Candidate::new(*close, Place::Anywhere, Action::Close)));
                reads(&mut watched, false);
            }
            Self::Text(_, closes) => {
                let close = |close: &&'static str| {
                    let action = if is_mark(close) { Action::CloseBefore } else { Action::Close };
                    Candidate::new(*close, Place::Anywhere, action)
                };
                watched.extend(closes.iter().map(close));
                reads(&mut watched, false);
            }
        }
        watched.extend(format.silent.iter().map(|mark| Candidate::new(*mark, Place::Anywhere, Action::Skip)));
        watched.extend(tokens.iter().map(|token| Candidate::new(token.as_str(), Place::Anywhere, Action::Skip)));
        watched
    }
}

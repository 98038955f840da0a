//! The next mark in a text.

use super::format::{Mark, Place, Reasoning};

/// What to do at a mark.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// Something begins that the format reads.
    Read(&'static Mark),
    /// A fence begins, perhaps around calls.
    Fence,
    /// Reasoning begins.
    Open(Reasoning),
    /// The text that is being read ends.
    Close,
    /// The text that is being read ends before the mark.
    CloseBefore,
    /// The mark is not shown.
    Skip,
    /// The mark ends reasoning that nothing began: not shown, unless it is only spoken of.
    Stray(Reasoning),
}

/// A text to look for.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub text: String,
    pub place: Place,
    pub action: Action,
}

impl Candidate {
    pub(super) fn new(text: impl Into<String>, place: Place, action: Action) -> Self {
        Self { text: text.into(), place, action }
    }
}

/// What stands before a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// Nothing of the answer itself.
    pub is_start: bool,
    /// Nothing of the same line.
    pub is_line: bool,
    /// The last character.
    pub last: Option<char>,
}

impl Before {
    /// What stands before what follows a text.
    pub(super) fn behind(self, text: &str) -> Self {
        let line = text.rsplit('\n').next().unwrap_or_default();
        let is_line = line.trim().is_empty() && (self.is_line || line.len() < text.len());
        Self { is_start: self.is_start && text.trim().is_empty(), is_line, last: text.chars().next_back().or(self.last) }
    }
}

/// What comes next in a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hit<'c> {
    /// A mark, from a byte on.
    Mark(usize, &'c Candidate),
    /// Perhaps a mark, from a byte on: what follows decides.
    Maybe(usize),
    /// No mark.
    Text,
}

/// The first mark in a text; of several that begin there the longest.
pub(super) fn next<'c>(text: &str, whole: bool, before: Before, candidates: &'c [Candidate]) -> Hit<'c> {
    let mut firsts = [false; 256];
    for first in candidates.iter().filter_map(|candidate| candidate.text.bytes().next()) {
        if let Some(is_first) = firsts.get_mut(usize::from(first)) {
            *is_first = true;
        }
    }
    let mut before = before;
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        let is_first = rest.bytes().next().and_then(|first| firsts.get(usize::from(first))).is_some_and(|is_first| *is_first);
        if is_first {
            let counts = |candidate: &&Candidate| match candidate.place {
                Place::Anywhere => true,
                Place::Start => before.is_start,
                Place::Line => before.is_line,
            };
            let mut found: Option<&Candidate> = None;
            for candidate in candidates.iter().filter(counts) {
                let mark = candidate.text.as_str();
                if !whole && rest.len() < mark.len() && mark.starts_with(rest) {
                    return Hit::Maybe(at);
                }
                if !rest.starts_with(mark) {
                    continue;
                }
                match is_spoken_of(candidate.action, before, rest.get(mark.len()..).unwrap_or_default(), whole) {
                    None => return Hit::Maybe(at),
                    Some(true) => {}
                    Some(false) if found.is_none_or(|found| found.text.len() < mark.len()) => found = Some(candidate),
                    Some(false) => {}
                }
            }
            if let Some(candidate) = found {
                return Hit::Mark(at, candidate);
            }
        }
        before.is_start &= c.is_whitespace();
        before.is_line = c == '\n' || before.is_line && c.is_whitespace();
        before.last = Some(c);
    }
    Hit::Text
}

/// Whether a mark is only spoken of: it stands between quotation marks, or one that ends nothing stands inside of a line. `None` where
/// what follows decides.
fn is_spoken_of(action: Action, before: Before, behind: &str, whole: bool) -> Option<bool> {
    let next = behind.chars().next();
    match (action, before.last) {
        (Action::Read(mark), Some('`')) => Some(mark.place != Place::Start),
        (Action::Close | Action::Skip | Action::Stray(_), Some(quote @ ('`' | '"' | '\''))) => match next {
            Some(next) => Some(next == quote),
            None => whole.then_some(false),
        },
        (Action::Stray(_), _) if !before.is_start => match next {
            Some(next) => Some(next != '\n' && next != '\r'),
            None => whole.then_some(false),
        },
        _ => Some(false),
    }
}

//! A place in a text that may go on. What is read is certain: whatever follows, it is read the same again.

/// Why something is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// What follows decides.
    More,
    /// It is something else.
    No,
}

/// What is read, or why not.
pub(super) type Step<T> = std::result::Result<T, Stop>;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// Where the mark begins that was found.
    mark: usize,
    at: usize,
    /// Nothing follows the text.
    whole: bool,
    /// Texts between quotation marks are those of a call in Python's way, with marks in them that nobody escaped.
    pub(super) is_python: bool,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, at: usize, whole: bool) -> Self {
        Self { text, mark: at, at: at.min(text.len()), whole, is_python: false }
    }

    /// At the end of a mark that begins at a place.
    pub(super) fn behind_mark(text: &'t str, mark: usize, length: usize, whole: bool) -> Self {
        Self { mark, ..Self::new(text, mark + length, whole) }
    }

    /// Back to the beginning of the mark.
    pub(super) fn back_to_mark(&mut self) {
        self.at = self.mark;
    }

    /// How many bytes stand before.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Back to a place that [`Cursor::at`] gave.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at.min(self.text.len());
    }

    /// What is there of the rest of the text.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What was read since a place.
    pub(super) fn since(&self, at: usize) -> &'t str {
        self.text.get(at..self.at).unwrap_or_default()
    }

    /// The text has no more of what is looked for.
    pub(super) fn short(&self) -> Stop {
        if self.whole { Stop::No } else { Stop::More }
    }

    /// Whether the text ends here.
    pub(super) fn is_over(&self) -> Step<bool> {
        if self.rest().is_empty() && !self.whole { Err(Stop::More) } else { Ok(self.rest().is_empty()) }
    }

    /// The next character.
    pub(super) fn peek(&self) -> Step<char> {
        self.rest().chars().next().ok_or_else(|| self.short())
    }

    /// Takes the next character.
    pub(super) fn next(&mut self) -> Step<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Ok(next)
    }

    /// Takes white space.
    pub(super) fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Whether this comes next.
    pub(super) fn comes(&self, mark: &str) -> Step<bool> {
        let rest = self.rest();
        if rest.len() < mark.len() && mark.starts_with(rest) && !self.whole { Err(Stop::More) } else { Ok(rest.starts_with(mark)) }
    }

    /// Takes a mark where it comes next.
    pub(super) fn takes(&mut self, mark: &str) -> Step<bool> {
        let comes = self.comes(mark)?;
        self.at += if comes { mark.len() } else { 0 };
        Ok(comes)
    }

    /// Takes white space and a mark where they come next, else nothing.
    pub(super) fn takes_behind_space(&mut self, mark: &str) -> Step<bool> {
        let start = self.at;
        self.space();
        let taken = self.takes(mark)?;
        self.at = if taken { self.at } else { start };
        Ok(taken)
    }

    /// Takes a mark, which must come next.
    pub(super) fn expect(&mut self, mark: &str) -> Step<()> {
        if self.takes(mark)? { Ok(()) } else { Err(Stop::No) }
    }

    /// Takes the text up to the first of some marks, and says which; the mark stays. No mark may begin with another.
    pub(super) fn until<'m>(&mut self, marks: &[&'m str]) -> Step<(&'t str, &'m str)> {
        let rest = self.rest();
        // One way through the text: the marks that are far away are not looked for again and again.
        let is_first = |c: char| marks.iter().any(|mark| mark.starts_with(c));
        let found = rest.match_indices(is_first).find_map(|(place, _)| {
            let here = rest.get(place..).unwrap_or_default();
            marks.iter().find(|mark| here.starts_with(**mark)).map(|mark| (place, *mark))
        });
        let (place, mark) = found.ok_or_else(|| self.short())?;
        self.at += place;
        Ok((rest.get(..place).unwrap_or_default(), mark))
    }

    /// Takes the characters that are of some kind; at least one more character decides where they end.
    pub(super) fn word(&mut self, is_part: impl Fn(char) -> bool) -> Step<&'t str> {
        let rest = self.rest();
        let end = rest.find(|c| !is_part(c));
        if end.is_none() && !self.whole {
            return Err(Stop::More);
        }
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += word.len();
        Ok(word)
    }

    /// The name of a tool or of an argument.
    pub(super) fn name(&mut self) -> Step<&'t str> {
        let name = self.word(|c| c.is_alphanumeric() || "_.-/:$@".contains(c))?;
        if name.is_empty() { Err(Stop::No) } else { Ok(name) }
    }

    /// Reads something that need not be there: where it is not, nothing is taken.
    pub(super) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Step<T>) -> Step<Option<T>> {
        let start = self.at;
        match read(self) {
            Ok(read) => Ok(Some(read)),
            Err(Stop::More) => Err(Stop::More),
            Err(Stop::No) => {
                self.at = start;
                Ok(None)
            }
        }
    }
}

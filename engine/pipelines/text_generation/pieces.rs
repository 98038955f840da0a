//! An answer as it comes.

use crate::{
    Result,
    generate::{self, LanguageModel, NewToken, Steps, TextStream},
    pipelines::usage,
};

/// What a step of an answer brings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// Text that is certain now, never a part of a character; empty where the next tokens decide.
    pub text: String,
    /// The new tokens: none in the last piece, which has what text there was left, and several where a draft was right.
    pub tokens: Vec<NewToken>,
}

/// An answer as it comes: an iterator of steps. One that was cut before it matched its constraint ends with an error that says so
/// ([`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete)), behind all of its text.
pub struct Pieces<'a> {
    steps: Steps<Box<dyn LanguageModel + Send + 'a>>,
    /// `None` when it has ended.
    text: Option<TextStream<'a>>,
    /// Text that is ready before the first step.
    before: String,
    read: usize,
    written: usize,
    /// Whether nothing was told yet of an answer that was cut.
    untold: bool,
}

impl<'a> Pieces<'a> {
    /// Of an answer to `read` tokens.
    pub(in crate::pipelines) fn new(
        steps: Steps<Box<dyn LanguageModel + Send + 'a>>,
        text: TextStream<'a>,
        before: String,
        read: usize,
    ) -> Self {
        Self { steps, text: Some(text), before, read, written: 0, untold: true }
    }

    fn step(&mut self) -> Result<Option<Piece>> {
        let Some(stream) = &mut self.text else { return self.end() };
        let tokens = self.steps.step()?;
        self.written += tokens.len();
        let mut text = std::mem::take(&mut self.before);
        if tokens.is_empty() {
            if let Some(stream) = self.text.take() {
                text.push_str(&stream.finish()?);
            }
            return if text.is_empty() { self.end() } else { Ok(Some(Piece { text, tokens })) };
        }
        for token in &tokens {
            text.push_str(&stream.push(token.id)?);
        }
        Ok(Some(Piece { text, tokens }))
    }

    /// Behind the text: whether that is all of the answer, told once.
    fn end(&mut self) -> Result<Option<Piece>> {
        if std::mem::replace(&mut self.untold, false) && self.steps.is_cut() {
            return Err(generate::cut(self.written));
        }
        Ok(None)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.text, self.untold) = (None, false);
        }
        step.transpose()
    }
}

impl Drop for Pieces<'_> {
    fn drop(&mut self) {
        usage::tell(self.read, self.written);
    }
}

impl std::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// An answer as it comes: an iterator of pieces of text, which never split a character.
#[derive(Debug)]
pub struct TextPieces<'a> {
    pieces: Pieces<'a>,
    tokens: usize,
}

impl<'a> TextPieces<'a> {
    pub(in crate::pipelines) fn new(pieces: Pieces<'a>) -> Self {
        Self { pieces, tokens: 0 }
    }

    /// How many new tokens there are so far.
    pub fn token_count(&self) -> usize {
        self.tokens
    }
}

impl Iterator for TextPieces<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.pieces.next()? {
                Ok(piece) => {
                    self.tokens += piece.tokens.len();
                    if !piece.text.is_empty() {
                        return Some(Ok(piece.text));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

//! An answer as it comes.

use super::{Pieces, new_text};
use crate::Result;

/// An answer as it comes: an iterator of pieces of text, which never split a character.
#[derive(Debug)]
pub struct AnswerPieces<'a> {
    pieces: Pieces<'a>,
    front: Front,
    tokens: usize,
    ended: bool,
}

impl<'a> AnswerPieces<'a> {
    /// Of pieces that begin with the text of the prompt.
    pub(super) fn new(pieces: Pieces<'a>, prompt: String) -> Self {
        Self { pieces, front: Front { prompt, held: Some(String::new()) }, tokens: 0, ended: false }
    }

    /// How many new tokens there are so far.
    pub fn token_count(&self) -> usize {
        self.tokens
    }
}

impl Iterator for AnswerPieces<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let text = match self.pieces.next() {
                Some(Ok(piece)) => {
                    self.tokens += piece.tokens.len();
                    self.front.push(piece.text)
                }
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.ended = true;
                    self.front.finish()
                }
            };
            if !text.is_empty() {
                return Some(Ok(text));
            }
        }
        None
    }
}

/// Takes the prompt off a text that comes in pieces ([`new_text`]).
#[derive(Debug)]
struct Front {
    prompt: String,
    /// The text so far; `None` once the prompt is off.
    held: Option<String>,
}

impl Front {
    fn push(&mut self, text: String) -> String {
        let Some(held) = &mut self.held else { return text };
        held.push_str(&text);
        // The prompt may begin two characters later.
        let is_certain = held.starts_with(&self.prompt) || held.chars().count() >= self.prompt.chars().count() + 2;
        if is_certain { self.finish() } else { String::new() }
    }

    fn finish(&mut self) -> String {
        self.held.take().map(|held| new_text(&held, &self.prompt).to_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_joined_are_the_text_behind_the_prompt() {
        for (text, prompt) in [("  a b c d", "a b"), ("a b c", "a b"), ("a b", "a b"), ("xyz a b c", "a b"), ("é", "éa"), ("abc", "")] {
            for size in 1..5 {
                let mut front = Front { prompt: prompt.into(), held: Some(String::new()) };
                let chars: Vec<char> = text.chars().collect();
                let mut joined: String = chars.chunks(size).map(|piece| front.push(piece.iter().collect())).collect();
                joined.push_str(&front.finish());
                assert_eq!(joined, new_text(text, prompt), "{text:?} {prompt:?} {size}");
            }
        }
    }
}

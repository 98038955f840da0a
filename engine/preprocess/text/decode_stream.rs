//! From ids to text, one at a time.

use super::Tokenizer;
use super::backend::Joining;
use super::decode::{clean_up_tokenization, settled};
use crate::Result;

/// Decodes ids as they come: the pieces of text, joined, are what [`Tokenizer::decode`] makes of all ids. A piece is given as soon as no
/// later id can change it, so one may be empty, and a character is never split. The time is linear in the length of the text.
pub struct DecodeStream<'t> {
    tokenizer: &'t Tokenizer,
    skip_special_tokens: bool,
    raw: Raw,
    /// Decoded, but a later id may still change how it is cleaned up; `None` when nothing is cleaned up.
    unclean: Option<String>,
}

/// What is not text yet.
enum Raw {
    /// The beginning of a character.
    Bytes(Vec<u8>),
    /// Some tokens.
    Tokens(Window),
    /// All ids: the decoder must see them together.
    Whole(Vec<u32>),
}

/// The last tokens, of which the first are decoded already: the others would not know without them that they are not the first.
#[derive(Default)]
struct Window {
    tokens: Vec<String>,
    /// What the decoded ones make when they are decoded without those before them.
    decoded: String,
}

impl<'t> DecodeStream<'t> {
    /// With the arguments of [`Tokenizer::decode`].
    pub fn new(tokenizer: &'t Tokenizer, skip_special_tokens: bool, clean_up_tokenization_spaces: Option<bool>) -> Self {
        let raw = match tokenizer.backend.joining() {
            Joining::Bytes => Raw::Bytes(Vec::new()),
            Joining::ByteFallback | Joining::Pieces => Raw::Tokens(Window::default()),
            Joining::Whole => Raw::Whole(Vec::new()),
        };
        let unclean = tokenizer.cleans_up(clean_up_tokenization_spaces).then(String::new);
        Self { tokenizer, skip_special_tokens, raw, unclean }
    }

    /// Takes the next id, and gives the text that is certain with it.
    pub fn push(&mut self, id: u32) -> Result<String> {
        let Some(token) = self.tokenizer.backend.shown_token(id, self.skip_special_tokens) else { return Ok(String::new()) };
        let text = match &mut self.raw {
            Raw::Bytes(bytes) => {
                bytes.extend_from_slice(&self.tokenizer.token_bytes(id));
                take_characters(bytes)
            }
            Raw::Tokens(window) => window.push(self.tokenizer, token)?,
            Raw::Whole(ids) => {
                ids.push(id);
                String::new()
            }
        };
        let Some(unclean) = &mut self.unclean else { return Ok(text) };
        let known = unclean.len();
        unclean.push_str(&text);
        Ok(match settled(unclean, known) {
            0 => String::new(),
            end => clean_up_tokenization(&take_front(unclean, end)),
        })
    }

    /// The text that was still uncertain.
    pub fn finish(self) -> Result<String> {
        let text = match self.raw {
            Raw::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Raw::Tokens(mut window) => window.decode(self.tokenizer)?,
            Raw::Whole(ids) => self.tokenizer.backend.decode(&ids, self.skip_special_tokens, &self.tokenizer.special)?,
        };
        Ok(match self.unclean {
            Some(unclean) => clean_up_tokenization(&(unclean + &text)),
            None => text,
        })
    }
}

impl Window {
    /// More tokens than this pile up only when they show nothing for now, such as spaces that may turn out to be the last.
    const MANY: usize = 8;

    fn push(&mut self, tokenizer: &Tokenizer, token: String) -> Result<String> {
        let is_open = tokenizer.backend.is_open(&token);
        let is_blank = self.tokens.len() >= Self::MANY && !token.contains(|c: char| c != '▁' && !c.is_whitespace());
        self.tokens.push(token);
        if is_open || is_blank { Ok(String::new()) } else { self.decode(tokenizer) }
    }

    /// What the tokens add to what is decoded.
    fn decode(&mut self, tokenizer: &Tokenizer) -> Result<String> {
        if self.tokens.is_empty() {
            return Ok(String::new());
        }
        let text = tokenizer.convert_tokens_to_string(self.tokens.clone())?;
        let added = text.strip_prefix(self.decoded.as_str()).unwrap_or_default().to_owned();
        if !added.is_empty() {
            self.decoded = text;
            self.forget(tokenizer)?;
        }
        Ok(added)
    }

    /// Drops the tokens that nothing depends on: one that shows something is enough before the next.
    fn forget(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        for kept in 1..self.tokens.len().min(Self::MANY) {
            let last = self.tokens.split_off(self.tokens.len() - kept);
            let text = tokenizer.convert_tokens_to_string(last.clone())?;
            if !text.is_empty() {
                (self.tokens, self.decoded) = (last, text);
                return Ok(());
            }
            self.tokens.extend(last);
        }
        Ok(())
    }
}

/// Takes whole characters from the front; what is left may be the beginning of one.
fn take_characters(bytes: &mut Vec<u8>) -> String {
    // Damage shows only in front of what follows it, so only the last chunk can be unfinished.
    let unfinished = bytes.utf8_chunks().last().map_or(0, |chunk| match std::str::from_utf8(chunk.invalid()) {
        Err(error) if error.error_len().is_none() => chunk.invalid().len(),
        _ => 0,
    });
    let rest = bytes.split_off(bytes.len() - unfinished);
    String::from_utf8_lossy(&std::mem::replace(bytes, rest)).into_owned()
}

/// Takes the first bytes of a text.
pub(crate) fn take_front(text: &mut String, end: usize) -> String {
    let rest = text.split_off(end);
    std::mem::replace(text, rest)
}

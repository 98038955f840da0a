//! A model with an encoder that has read nothing but how its answer begins: what guidance leads away from.
//!
//! The reference calls the model with the answer alone. Its encoder reads that, and where the architecture makes the decoder's tokens of
//! what the encoder reads, the decoder goes on with those, moved by one. Other architectures fail there.

use formers_models::Moved;
use serde_json::Value;

use super::decoder::LanguageModel;
use super::open::open_two_sided;
use crate::model::Model;
use crate::{Error, ErrorKind, Result};

/// The model, without rows at first: the first tokens of each are what its encoder reads.
pub struct Unread<'a> {
    model: &'a Model,
    config: &'a Value,
    moved: Moved,
    /// The token that answers start from.
    start: u32,
    begun: Option<Box<dyn LanguageModel + Send + 'a>>,
}

impl<'a> Unread<'a> {
    /// For a configuration of which answers start from a token.
    ///
    /// # Errors
    /// An architecture whose decoder needs tokens of its own.
    pub fn new(model: &'a Model, config: &'a Value, start: u32) -> Result<Self> {
        let moved = formers_models::of(config).and_then(|known| known.moves_what_it_reads).ok_or_else(|| {
            let message = "the decoder of this architecture says nothing without a text to read, in Python either";
            Error::request("guidance_scale", message)
        })?;
        Ok(Self { model, config, moved, start, begun: None })
    }

    /// What the decoder is given in place of tokens.
    fn given(&self, tokens: &[u32]) -> Vec<u32> {
        let Some((last, before)) = tokens.split_last() else { return Vec::new() };
        let first = match self.moved {
            Moved::BehindStart => self.start,
            Moved::BehindLast => *last,
        };
        [&[first], before].concat()
    }

    fn begun(&mut self) -> Result<&mut (dyn LanguageModel + Send + 'a)> {
        self.begun.as_deref_mut().ok_or_else(|| Error::new(ErrorKind::Runtime, "a row that is not there"))
    }
}

impl LanguageModel for Unread<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        let given: Vec<Vec<u32>> = tokens.iter().map(|tokens| self.given(tokens)).collect();
        if self.begun.is_none() {
            self.begun = Some(open_two_sided(self.model, self.config, tokens)?);
        }
        self.begun()?.forward(&given.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.begun()?.select(rows)
    }

    /// As if they came one by one.
    fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let given: Vec<u32> = tokens.chunks(1).flat_map(|token| self.given(token)).collect();
        self.begun()?.extend(&given)
    }

    fn cut(&mut self, length: usize) -> Result<()> {
        self.begun()?.cut(length)
    }
}

//! The language model that a model's sessions are.

use formers_models::{anew_beyond, couples_rows};
use serde_json::Value;

use super::{Decoder, ExportedDecoder, LanguageModel};
use crate::Result;
use crate::model::Model;

/// A decoder without rows: a graph that was made here, or a ready-made one.
///
/// # Errors
/// Inputs that nobody fills, and a cache that does not go on from run to run.
pub fn open<'a>(model: &'a Model, config: &Value) -> Result<Box<dyn LanguageModel + Send + 'a>> {
    Ok(match model.session("model") {
        Ok(session) if session.is_own() => {
            Box::new(Decoder::new(session)?.anew_beyond(anew_beyond(config)).steps_only(couples_rows(config)))
        }
        _ => Box::new(ExportedDecoder::new(model, config)?),
    })
}

impl<M: LanguageModel + ?Sized> LanguageModel for Box<M> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        (**self).forward(tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        (**self).select(rows)
    }

    fn sources(&self) -> &[Vec<u32>] {
        (**self).sources()
    }

    fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        (**self).extend(tokens)
    }

    fn cut(&mut self, length: usize) -> Result<()> {
        (**self).cut(length)
    }
}

//! The language model that a model's sessions are: graphs that were made here, or ready-made ones.

use formers_models::couples_rows;
use serde_json::Value;

use super::embedded::Embedded;
use super::{Decoder, ExportedDecoder, ExportedSeq2Seq, Features, LanguageModel, Seq2Seq};
use crate::Result;
use crate::model::Model;
use crate::session::Session;

/// A decoder without rows.
///
/// # Errors
/// Inputs that nobody fills, and a cache that does not go on from run to run.
pub fn open<'a>(model: &'a Model, config: &Value) -> Result<Box<dyn LanguageModel + Send + 'a>> {
    Ok(match model.session("model") {
        Ok(session) if session.is_own() => {
            let anew_beyond = formers_models::of(config).and_then(|known| known.anew_beyond(config));
            Box::new(Decoder::new(session)?.anew_beyond(anew_beyond).steps_only(couples_rows(config)))
        }
        _ => Box::new(ExportedDecoder::new(model, config)?),
    })
}

/// A decoder without rows that reads embeddings of tokens, and in the places of one of them `features`.
///
/// # Errors
/// Inputs that nobody fills, and a cache that does not go on from run to run.
pub fn open_embedded<'a>(model: &'a Model, config: &Value, features: Option<Features>) -> Result<Box<dyn LanguageModel + Send + 'a>> {
    let text = config.get("text_config").unwrap_or(config);
    Ok(match model.session(Seq2Seq::DECODER) {
        Ok(session) if session.is_own() => {
            let anew_beyond = formers_models::of(text).and_then(|known| known.anew_beyond(text));
            let decoder = Decoder::embedded(session, Embedded::new(model, features)?)?;
            Box::new(decoder.anew_beyond(anew_beyond).steps_only(couples_rows(text)))
        }
        _ => Box::new(ExportedDecoder::embedded(model, config, features)?),
    })
}

/// The decoder of some texts, which the encoder has read.
///
/// # Errors
/// A text without tokens, and what fails in the model.
pub fn open_two_sided<'a>(model: &'a Model, config: &Value, texts: &[&[u32]]) -> Result<Box<dyn LanguageModel + Send + 'a>> {
    if is_own(model) { Ok(Box::new(Seq2Seq::new(model, texts)?)) } else { Ok(Box::new(ExportedSeq2Seq::new(model, config, texts)?)) }
}

/// Whether a model is one for [`open_two_sided`].
///
/// # Errors
/// Inputs that nobody fills, and what the decoder needs of the encoder and that one does not give.
pub fn check_two_sided(model: &Model, config: &Value) -> Result<()> {
    if is_own(model) { Seq2Seq::check(model) } else { ExportedSeq2Seq::check(model, config) }
}

fn is_own(model: &Model) -> bool {
    model.session(Seq2Seq::DECODER).is_ok_and(Session::is_own)
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

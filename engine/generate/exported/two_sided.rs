//! Ready-made models that read with an encoder and write with a decoder.

use ndarray::Array2;
use serde_json::Value as Json;

use super::{ExportedDecoder, graph::Graph};
use crate::generate::LanguageModel;
use crate::model::Model;
use crate::session::{Session, Value};
use crate::{Error, Result};

/// The decoder of some texts, which the encoder has read.
#[derive(Debug)]
pub struct ExportedSeq2Seq<'a> {
    decoder: ExportedDecoder<'a>,
    sources: Vec<Vec<u32>>,
}

const ENCODER: &str = "encoder_model";
const HIDDEN: &str = "encoder_hidden_states";
const MASK: &str = "encoder_attention_mask";

impl<'a> ExportedSeq2Seq<'a> {
    /// Whether these are graphs of this kind.
    ///
    /// # Errors
    /// Inputs that nobody fills, and a cache that does not go on from run to run.
    pub fn check(model: &Model, config: &Json) -> Result<()> {
        model.session(ENCODER)?.check_inputs(&["input_ids", "attention_mask"])?;
        Graph::new(model, config, &[HIDDEN, MASK]).map(|_| ())
    }

    /// Reads the texts, which may differ in length: encoders take a mask of what is padding.
    ///
    /// # Errors
    /// A text without tokens, and what fails in the model.
    pub fn new(model: &'a Model, config: &Json, texts: &[&[u32]]) -> Result<Self> {
        let encoder = model.session(ENCODER)?;
        if texts.iter().any(|text| text.is_empty()) {
            return Err(Error::request("inputs", "a text without any tokens"));
        }
        let width = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let padding = config.get("pad_token_id").and_then(Json::as_i64).unwrap_or(0);
        let mut ids = Array2::<i64>::from_elem((texts.len(), width), padding);
        let mut mask = Array2::<i64>::zeros((texts.len(), width));
        for (row, text) in texts.iter().enumerate() {
            ids.row_mut(row).iter_mut().zip(*text).for_each(|(id, token)| *id = i64::from(*token));
            mask.row_mut(row).iter_mut().take(text.len()).for_each(|one| *one = 1);
        }
        let mask = Value::from(mask);
        let given = [("input_ids", Value::from(ids)), ("attention_mask", mask.clone())];
        let hidden = output(encoder)?;
        let mut read = encoder.run_with(given.into_iter().filter(|(name, _)| encoder.input(name).is_some()), Some(&[hidden]), None)?;
        let context = vec![(HIDDEN.to_owned(), read.take(hidden)?), (MASK.to_owned(), mask)];
        let sources = texts.iter().map(|text| text.to_vec()).collect();
        Ok(Self { decoder: ExportedDecoder::beside(model, config, context)?, sources })
    }
}

/// The output with the hidden states.
fn output(encoder: &Session) -> Result<&str> {
    let named = encoder.output("last_hidden_state").or_else(|| encoder.outputs().first());
    named.map(|port| port.name.as_str()).ok_or_else(|| Error::unsupported("the encoder gives nothing"))
}

impl LanguageModel for ExportedSeq2Seq<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        self.decoder.forward(tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.decoder.select(rows)
    }

    fn sources(&self) -> &[Vec<u32>] {
        &self.sources
    }

    fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.decoder.extend(tokens)
    }

    fn cut(&mut self, length: usize) -> Result<()> {
        self.decoder.cut(length)
    }
}

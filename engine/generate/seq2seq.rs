//! An encoder-decoder model as generation sees it: the encoder reads all texts once, and the decoder writes while it looks at them.

use ndarray::{Array2, Axis};

use super::decoder::{Decoder, LanguageModel};
use crate::model::Model;
use crate::session::{Session, Value};
use crate::{Error, ErrorKind, Result};

/// The decoder of some texts, which the encoder has read. Rows of one text (beams, samples) share what it gave.
#[derive(Debug)]
pub struct Seq2Seq<'a> {
    /// Its further inputs are the mask of the texts, and the keys and values of each layer: `(texts, …)`.
    decoder: Decoder<'a>,
    sources: Vec<Vec<u32>>,
    /// Which text each row has, by its place in those inputs.
    rows: Vec<usize>,
    texts: usize,
}

impl<'a> Seq2Seq<'a> {
    /// The role of the graph that reads.
    pub const ENCODER: &'static str = "encoder_model";
    /// The role of the graph that writes.
    pub const DECODER: &'static str = "decoder_model_merged";
    const MASK: &'static str = "encoder_attention_mask";
    const HIDDEN: &'static str = "encoder_hidden_states";
    const ENCODER_INPUTS: &'static [&'static str] = &["input_ids", "attention_mask"];

    /// Whether these are graphs of this kind.
    ///
    /// # Errors
    /// Inputs that nobody fills, and what the decoder sees of the encoder and that one does not give.
    pub fn check(model: &Model) -> Result<()> {
        let (encoder, decoder) = (model.session(Self::ENCODER)?, model.session(Self::DECODER)?);
        encoder.check_inputs(Self::ENCODER_INPUTS)?;
        let past = decoder.inputs().iter().map(|port| port.name.as_str()).filter(|name| name.starts_with("past_key_values."));
        let known: Vec<&str> = Decoder::INPUTS.iter().copied().chain([Self::MASK, Self::HIDDEN]).chain(past).collect();
        decoder.check_inputs(&known)?;
        let missing = Decoder::INPUTS.iter().find(|name| decoder.input(name).is_none());
        let not_given = kept(decoder).find(|(_, output)| encoder.output(output).is_none());
        match (missing, not_given) {
            (Some(name), _) => Err(Error::unsupported(format!("a decoder takes `{name}`, and this model does not"))),
            (_, Some((input, output))) => {
                Err(Error::unsupported(format!("the decoder takes `{input}`, but the encoder does not give `{output}`")))
            }
            (None, None) => Ok(()),
        }
    }

    /// Reads the texts, which may differ in length.
    ///
    /// # Errors
    /// A text without tokens, and what fails in the model.
    pub fn new(model: &'a Model, texts: &[&[u32]]) -> Result<Self> {
        Self::check(model)?;
        let (encoder, decoder) = (model.session(Self::ENCODER)?, model.session(Self::DECODER)?);
        let width = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        if texts.iter().any(|text| text.is_empty()) {
            return Err(Error::request("inputs", "a text without any tokens"));
        }
        let mut mask = Array2::<i64>::zeros((texts.len(), width));
        // Nothing looks at padding, so any token will do.
        let mut ids = Array2::<i64>::zeros((texts.len(), width));
        for (row, text) in texts.iter().enumerate() {
            ids.row_mut(row).iter_mut().zip(*text).for_each(|(id, token)| *id = i64::from(*token));
            mask.row_mut(row).iter_mut().take(text.len()).for_each(|one| *one = 1);
        }
        let mask = Value::from(mask);
        let names: Vec<(String, String)> = kept(decoder).collect();
        let wanted: Vec<&str> = names.iter().map(|(_, output)| output.as_str()).collect();
        let mut given = encoder.run_with([("input_ids", &Value::from(ids)), ("attention_mask", &mask)], Some(&wanted), None)?;
        let mut beside = vec![(Self::MASK.to_owned(), mask)];
        for (input, output) in &names {
            beside.push((input.clone(), given.take(output)?));
        }
        if decoder.input(Self::MASK).is_none() {
            beside.remove(0);
        }
        let sources = texts.iter().map(|text| text.to_vec()).collect();
        let rows = (0..texts.len()).collect();
        Ok(Self { decoder: Decoder::beside(decoder, beside)?, sources, rows, texts: texts.len() })
    }
}

/// What a decoder sees of the encoder: the names of its inputs, and of the encoder's outputs. Files that other programs run as well take
/// hidden states, too, which they do not look at where they have keys and values.
fn kept(decoder: &Session) -> impl Iterator<Item = (String, String)> + '_ {
    let past = decoder.inputs().iter().filter_map(|port| Some((port, port.name.strip_prefix("past_key_values.")?)));
    let kept = past.filter(|(_, name)| name.contains(".encoder.")).map(|(port, name)| (port.name.clone(), format!("present.{name}")));
    let hidden = decoder.input(Seq2Seq::HIDDEN).map(|port| (port.name.clone(), "last_hidden_state".to_owned()));
    kept.chain(hidden)
}

impl LanguageModel for Seq2Seq<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        self.decoder.forward(tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        let of_rows: Option<Vec<usize>> = rows.iter().map(|row| self.rows.get(*row).copied()).collect();
        let of_rows = of_rows.ok_or_else(|| Error::new(ErrorKind::Runtime, "a row that is not there"))?;
        self.decoder.select(rows)?;
        let texts = shared(&of_rows);
        let unchanged = texts.len() == self.texts && texts.iter().enumerate().all(|(to, from)| to == *from);
        for (_, value) in self.decoder.inputs_beside().iter_mut().filter(|_| !unchanged) {
            let selected = match value.dtype() {
                crate::session::Dtype::I64 => Value::from(value.to_i64()?.select(Axis(0), &texts)),
                _ => Value::from(value.to_f32()?.select(Axis(0), &texts)),
            };
            *value = selected;
        }
        let each = rows.len() / texts.len().max(1);
        self.texts = texts.len();
        self.rows = (0..rows.len()).map(|row| row / each.max(1)).collect();
        Ok(())
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

/// The texts that rows with these texts need: one for each run of rows that have the same, where all runs are of one length; else one
/// for each row.
fn shared(of_rows: &[usize]) -> Vec<usize> {
    let runs: Vec<&[usize]> = of_rows.chunk_by(|a, b| a == b).collect();
    let alike = runs.iter().all(|run| run.len() == runs[0].len());
    if alike { runs.iter().filter_map(|run| run.first().copied()).collect() } else { of_rows.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_share_texts_where_each_has_as_many() {
        assert_eq!(shared(&[0, 0, 1, 1, 4, 4]), [0, 1, 4]);
        assert_eq!(shared(&[2, 0, 1]), [2, 0, 1]);
        assert_eq!(shared(&[0, 0, 1]), [0, 0, 1]);
        assert!(shared(&[]).is_empty());
    }
}

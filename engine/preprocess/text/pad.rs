//! Padding encodings to one length, and the arrays that a model takes.

use ndarray::Array2;

use super::{Encoding, Side, Tokenizer};
use crate::{Error, Result};

/// No input is padded beyond this many tokens: no model takes as many.
const LONGEST: usize = 1 << 22;

/// To which length a batch is padded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Padding {
    /// Pad to exactly this many tokens (longer encodings stay as they are); `None` pads to the longest of the batch.
    pub max_length: Option<usize>,
    /// Round the length up to a multiple of this.
    pub pad_to_multiple_of: Option<usize>,
    /// The side; `None` takes the tokenizer's own.
    pub side: Option<Side>,
}

/// Encodings of one length as arrays, each `(batch, sequence)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids.
    pub input_ids: Array2<i64>,
    /// 1 for tokens, 0 for padding.
    pub attention_mask: Array2<i64>,
    /// Token types.
    pub token_type_ids: Array2<i64>,
}

impl Tokenizer {
    /// Pads encodings to one length, in place, with the tokenizer's padding token. What overflowed is padded to its own
    /// batch's length by whoever makes a batch of it.
    ///
    /// Fails when padding is needed and the tokenizer has no padding token.
    pub fn pad(&self, encodings: &mut [Encoding], padding: &Padding) -> Result<()> {
        let longest = encodings.iter().map(Encoding::len).max().unwrap_or(0);
        let mut length = padding.max_length.unwrap_or(longest);
        if let Some(multiple) = padding.pad_to_multiple_of.filter(|multiple| *multiple > 0) {
            length = length.checked_next_multiple_of(multiple).ok_or_else(|| Error::request("pad_to_multiple_of", "too large"))?;
        }
        if length > longest.max(LONGEST) {
            return Err(Error::request("max_length", format!("cannot pad to {length} tokens")));
        }
        if encodings.iter().all(|encoding| encoding.len() >= length) {
            return Ok(());
        }
        let (token, id) = self.special_tokens().pad_token().zip(self.pad_token_id()).ok_or_else(|| {
            Error::config(
                "the tokenizer has no padding token (pad_token in tokenizer_config.json), so inputs cannot be batched; run them one by one",
            )
        })?;
        let side = padding.side.unwrap_or(self.padding_side());
        for encoding in encodings {
            encoding.pad_to(length, side, id, self.settings.pad_token_type_id, token);
        }
        Ok(())
    }

    /// Pads encodings and makes arrays of them.
    pub fn pad_batch(&self, encodings: &[&Encoding], padding: &Padding) -> Result<Batch> {
        let mut padded: Vec<Encoding> = encodings
            .iter()
            .map(|encoding| Encoding {
                ids: encoding.ids.clone(),
                type_ids: encoding.type_ids.clone(),
                attention_mask: encoding.attention_mask.clone(),
                ..Encoding::default()
            })
            .collect();
        self.pad(&mut padded, padding)?;
        let length = padded.iter().map(Encoding::len).max().unwrap_or(0);
        let array = |list: fn(&Encoding) -> &Vec<u32>| {
            let values = padded.iter().flat_map(|encoding| list(encoding).iter().map(|value| i64::from(*value))).collect();
            Array2::from_shape_vec((padded.len(), length), values).map_err(|_| {
                Error::request("max_length", format!("an input is longer than the {length} tokens that its batch is padded to"))
            })
        };
        Ok(Batch {
            input_ids: array(|encoding| &encoding.ids)?,
            attention_mask: array(|encoding| &encoding.attention_mask)?,
            token_type_ids: array(|encoding| &encoding.type_ids)?,
        })
    }
}

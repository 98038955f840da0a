//! What a tokenizer makes of one input.

use super::tokenizer::Side;

/// A tokenized input. All lists have one entry per token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The ids of the tokens.
    pub ids: Vec<u32>,
    /// The token types: which part of a pair each token belongs to, as the model wants it.
    pub type_ids: Vec<u32>,
    /// 1 for tokens, 0 for padding.
    pub attention_mask: Vec<u32>,
    /// 1 for tokens that the tokenizer added (and padding), 0 for tokens of the input.
    pub special_tokens_mask: Vec<u32>,
    /// The tokens themselves.
    pub tokens: Vec<String>,
    /// Where each token lies in its text, or in its word when the input came in words: start and end, in characters.
    /// `(0, 0)` for added tokens.
    pub offsets: Vec<(usize, usize)>,
    /// The word that each token belongs to; `None` for added tokens.
    pub word_ids: Vec<Option<u32>>,
    /// 0 for tokens of the first text, 1 for tokens of the second; `None` for added tokens.
    pub sequence_ids: Vec<Option<usize>>,
    /// What truncation cut off, as further windows over the input; empty unless asked for.
    pub overflowing: Vec<Encoding>,
}

impl Encoding {
    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// This encoding and what overflowed from it, in order.
    pub fn windows(&self) -> impl Iterator<Item = &Encoding> {
        std::iter::once(self).chain(&self.overflowing)
    }

    /// This encoding and what overflowed from it, in order, each by itself.
    pub fn into_windows(mut self) -> Vec<Encoding> {
        let rest = std::mem::take(&mut self.overflowing);
        std::iter::once(self).chain(rest).collect()
    }

    /// Lengthens the encoding, on one side, with padding tokens.
    pub(crate) fn pad_to(&mut self, length: usize, side: Side, id: u32, type_id: u32, token: &str) {
        let missing = length.saturating_sub(self.len());
        pad(&mut self.ids, missing, side, id);
        pad(&mut self.type_ids, missing, side, type_id);
        pad(&mut self.attention_mask, missing, side, 0);
        pad(&mut self.special_tokens_mask, missing, side, 1);
        pad(&mut self.tokens, missing, side, token.to_owned());
        pad(&mut self.offsets, missing, side, (0, 0));
        pad(&mut self.word_ids, missing, side, None);
        pad(&mut self.sequence_ids, missing, side, None);
    }
}

fn pad<T: Clone>(list: &mut Vec<T>, missing: usize, side: Side, value: T) {
    let at = if side == Side::Left { 0 } else { list.len() };
    list.splice(at..at, std::iter::repeat_n(value, missing));
}

impl From<&tokenizers::Encoding> for Encoding {
    fn from(encoding: &tokenizers::Encoding) -> Self {
        Self {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            attention_mask: encoding.get_attention_mask().to_vec(),
            special_tokens_mask: encoding.get_special_tokens_mask().to_vec(),
            tokens: encoding.get_tokens().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
            word_ids: encoding.get_word_ids().to_vec(),
            sequence_ids: encoding.get_sequence_ids(),
            overflowing: Vec::new(),
        }
    }
}

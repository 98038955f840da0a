//! From ids back to text.

use super::{CtcText, Tokenizer};
use crate::Result;

impl Tokenizer {
    /// The text of some ids. `clean_up_tokenization_spaces` removes the spaces before punctuation and English contractions;
    /// `None` takes the tokenizer's own setting. BPE tokenizers ignore it, because their spaces belong to the text.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool, clean_up_tokenization_spaces: Option<bool>) -> Result<String> {
        let text = self.backend.decode(ids, skip_special_tokens, &self.special)?;
        let clean_up = clean_up_tokenization_spaces.unwrap_or(self.settings.clean_up_tokenization_spaces);
        let ignored = self.backend.is_bpe() && !self.settings.clean_up_despite_bpe;
        Ok(if clean_up && !ignored { clean_up_tokenization(&text) } else { text })
    }

    /// The text of some tokens: what their decoder makes of them, special tokens and odd spaces included.
    pub fn convert_tokens_to_string(&self, tokens: Vec<String>) -> Result<String> {
        self.backend.convert_tokens_to_string(tokens, &self.special)
    }
}

impl Tokenizer {
    /// The text of what a speech model heard, one token per frame, with the frames of each character and word. `None` for
    /// tokenizers of other models.
    pub fn decode_ctc(&self, ids: &[u32], skip_special_tokens: bool) -> Option<CtcText> {
        self.backend.decode_ctc(ids, skip_special_tokens, &self.special)
    }
}

/// Removes the spaces that splitting put before punctuation and contractions.
pub(crate) fn clean_up_tokenization(text: &str) -> String {
    const REPLACEMENTS: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    REPLACEMENTS.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

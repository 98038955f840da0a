//! From ids back to text.

use super::{CtcText, Tokenizer};
use crate::Result;

impl Tokenizer {
    /// The text of some ids. `clean_up_tokenization_spaces` removes the spaces before punctuation and English contractions;
    /// `None` takes the tokenizer's own setting. BPE tokenizers ignore it, because their spaces belong to the text.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool, clean_up_tokenization_spaces: Option<bool>) -> Result<String> {
        let text = self.backend.decode(ids, skip_special_tokens, &self.special)?;
        Ok(if self.cleans_up(clean_up_tokenization_spaces) { clean_up_tokenization(&text) } else { text })
    }

    /// Whether decoding cleans up when asked so.
    pub(crate) fn cleans_up(&self, clean_up_tokenization_spaces: Option<bool>) -> bool {
        let ignored = self.backend.is_bpe() && !self.settings.clean_up_despite_bpe;
        clean_up_tokenization_spaces.unwrap_or(self.settings.clean_up_tokenization_spaces) && !ignored
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

/// How much of a text can be cleaned up on its own, whatever follows it: 0, or more than `known`, where nothing shorter can.
pub(crate) fn settled(text: &str, known: usize) -> usize {
    let ends = text.char_indices().rev().map(|(at, character)| at + character.len_utf8());
    ends.take_while(|end| *end > known).find(|end| text.get(..*end).is_some_and(is_settled)).unwrap_or(0)
}

/// Whether nothing that [`clean_up_tokenization`] looks for can begin in a text and end behind it. It does nothing but drop spaces, so
/// whatever begins there still has a space before it now, and between its characters at most spaces.
fn is_settled(text: &str) -> bool {
    let Some(last) = text.chars().next_back() else { return true };
    if last == ' ' {
        return false;
    }
    // The other beginnings of what it looks for: a space and these.
    !["n", "n'", "'", "'v", "'r"].iter().any(|beginning| {
        let mut rest = text;
        for (nth, character) in beginning.chars().rev().enumerate() {
            let before = if nth == 0 { rest } else { rest.trim_end_matches(' ') };
            match before.strip_suffix(character) {
                Some(before) => rest = before,
                None => return false,
            }
        }
        rest.ends_with(' ')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_does_not_change_any_more() {
        // All texts of up to five of these characters, cut where they are settled.
        const CHARACTERS: [char; 8] = [' ', '\'', 'n', 't', 'v', 'e', '.', 'x'];
        for length in 0..=5u32 {
            for number in 0..8u32.pow(length) {
                let text: String = (0..length).map(|at| CHARACTERS[(number >> (3 * at)) as usize % 8]).collect();
                let whole = clean_up_tokenization(&text);
                for end in 0..=text.len() {
                    let (first, rest) = text.split_at(end);
                    if is_settled(first) {
                        assert_eq!(clean_up_tokenization(first) + &clean_up_tokenization(rest), whole, "{first:?} {rest:?}");
                    }
                }
            }
        }
        let settled = ["it was", "it was ", "isn", "is n", "is n'x"].map(|text| settled(text, 0));
        assert_eq!(settled, [6, 6, 3, 2, 6]);
        assert_eq!([super::settled("is n'", 2), super::settled("is n't", 5)], [0, 6]);
    }
}

//! Where tokens lie in the text that they come from.

use crate::preprocess::text::Encoding;

/// How runs of tokens are found in one text of a pair.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Which text of the pair: 0 or 1.
    pub sequence: usize,
    /// How many tokens of padding stand before the others. As in the reference, places are counted without them, although
    /// the encoding has them.
    pub padding: usize,
    /// Whether runs are widened to whole words.
    pub align_to_words: bool,
}

impl Places {
    /// Start and end, in characters, of the tokens from `first` to `last`; both are places in the encoding.
    pub fn of(&self, encoding: &Encoding, first: usize, last: usize) -> (usize, usize) {
        let aligned = || {
            let word = |token: usize| encoding.word_ids.get(token.checked_sub(self.padding)?).copied().flatten();
            Some((self.word(encoding, word(first)?)?.0, self.word(encoding, word(last)?)?.1))
        };
        // Some tokens belong to no word, and some words are not in the text.
        self.align_to_words.then(aligned).flatten().unwrap_or_else(|| (self.token(encoding, first).0, self.token(encoding, last).1))
    }

    /// A place before the first token counts from the end.
    fn token(&self, encoding: &Encoding, token: usize) -> (usize, usize) {
        let length = encoding.offsets.len();
        let place = if token < self.padding { (token + length).checked_sub(self.padding) } else { Some(token - self.padding) };
        place.and_then(|place| encoding.offsets.get(place)).copied().unwrap_or_default()
    }

    /// Where a word lies, as far as the encoding has it.
    fn word(&self, encoding: &Encoding, word: u32) -> Option<(usize, usize)> {
        let of_word = |i: &usize| encoding.word_ids[*i] == Some(word) && encoding.sequence_ids[*i] == Some(self.sequence);
        let first = (0..encoding.len()).find(of_word)?;
        let last = (0..encoding.len()).rfind(of_word)?;
        Some((encoding.offsets[first].0, encoding.offsets[last].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[CLS] who [SEP] ber ##lin is [SEP]`
    fn encoding() -> Encoding {
        let (none, words) = (None, [Some(0), Some(0), Some(0), Some(1)]);
        let sequences = [Some(0), Some(1), Some(1), Some(1)];
        let around = |list: [Option<u32>; 4]| vec![none, list[0], none, list[1], list[2], list[3], none];
        Encoding {
            ids: vec![1; 7],
            type_ids: vec![0; 7],
            attention_mask: vec![1; 7],
            special_tokens_mask: vec![0; 7],
            tokens: vec![String::new(); 7],
            offsets: vec![(0, 0), (0, 3), (0, 0), (0, 3), (3, 6), (7, 9), (0, 0)],
            word_ids: around(words),
            sequence_ids: around(sequences.map(|s| s.map(|s: u32| s))).into_iter().map(|s| s.map(|s| s as usize)).collect(),
            overflowing: Vec::new(),
        }
    }

    #[test]
    fn runs_widen_to_words() {
        let places = Places { sequence: 1, padding: 0, align_to_words: true };
        assert_eq!(places.of(&encoding(), 4, 4), (0, 6));
        assert_eq!(places.of(&encoding(), 4, 5), (0, 9));
        assert_eq!(Places { align_to_words: false, ..places }.of(&encoding(), 4, 5), (3, 9));
        // [CLS] is no word, so that offsets count.
        assert_eq!(places.of(&encoding(), 0, 4), (0, 6));
        // The question's first word stands for the context's.
        assert_eq!(places.of(&encoding(), 1, 1), (0, 6));
    }

    #[test]
    fn padding_moves_places() {
        let places = Places { sequence: 1, padding: 2, align_to_words: true };
        assert_eq!(places.of(&encoding(), 6, 6), (0, 6));
        // Counted from the end.
        assert_eq!(places.of(&encoding(), 0, 1), (7, 0));
        assert_eq!(Places { padding: 100, ..places }.of(&encoding(), 0, 1), (0, 0));
        assert_eq!(places.of(&Encoding::default(), 3, 9), (0, 0));
    }
}

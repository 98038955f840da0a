//! Chinese words, as jieba finds them: RoFormer keeps those that its vocabulary has, and cuts the others into characters.

use std::collections::HashSet;
use std::sync::OnceLock;

use jieba_rs::TokenizeMode;
use tokenizers::normalizer::Range;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::{NormalizedString, Normalizer, PreTokenizedString};

/// The dictionary, read once.
static DICTIONARY: OnceLock<jieba_rs::Jieba> = OnceLock::new();

/// RoFormer's pre-tokenizer.
#[derive(Debug)]
pub(crate) struct Jieba {
    pub(crate) vocab: HashSet<String>,
}

impl Jieba {
    pub(crate) fn pre_tokenize(&self, pretokenized: &mut PreTokenizedString) -> tokenizers::Result<()> {
        let jieba = DICTIONARY.get_or_init(jieba_rs::Jieba::new);
        pretokenized.split(|_, text| {
            let spans = self.spans(jieba, text.get())?;
            Ok(spans.into_iter().filter_map(|(start, end)| text.slice(Range::Normalized(start..end))).collect::<Vec<NormalizedString>>())
        })
    }

    /// Where the words lie, in bytes.
    fn spans(&self, jieba: &jieba_rs::Jieba, text: &str) -> tokenizers::Result<Vec<(usize, usize)>> {
        let isolate = BertNormalizer::new(false, true, Some(false), false);
        // A position for each character, and one behind the last.
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut spans = Vec::new();
        for token in jieba.tokenize(text, TokenizeMode::Default, false) {
            let mut take = |start: usize, end: usize| spans.extend(places.get(start).copied().zip(places.get(end).copied()));
            if self.vocab.contains(token.word) {
                take(token.start, token.end);
                continue;
            }
            let mut characters = NormalizedString::from(token.word);
            isolate.normalize(&mut characters)?;
            let mut start = token.start;
            for part in characters.get().split_whitespace() {
                let end = start + part.chars().count();
                take(start, end);
                start = end;
            }
        }
        Ok(spans)
    }
}

//! Added tokens: found in a text before anything else is done to it.

use tokenizers::{
    AddedToken, Model as _, NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
};

use super::Tokenizer;
use super::backend::{Backend, Fast, guarded};
use crate::Result;

impl Tokenizer {
    /// The added tokens in the order of their ids, and whether each is special.
    pub fn added_tokens(&self) -> Vec<(String, bool)> {
        match &self.backend {
            Backend::Fast(fast) => fast.added_vocabulary(),
            Backend::Python(python) => python.added_vocabulary(),
        }
    }

    /// Adds special tokens behind all others, those that the vocabulary lacks.
    pub fn add_special_tokens(&mut self, tokens: &[&str]) -> Result<()> {
        match &mut self.backend {
            Backend::Fast(fast) => fast.add_special_tokens(tokens),
            Backend::Python(python) => {
                python.add_special_tokens(tokens);
                Ok(())
            }
        }
    }

    /// The tokens of a text in which no added token is looked for, special or not.
    pub fn encode_as_text(&self, text: &str) -> Result<Vec<u32>> {
        match &self.backend {
            Backend::Fast(fast) => fast.encode_as_text(text),
            Backend::Python(python) => Ok(python.encode_as_text(text)),
        }
    }
}

impl Fast {
    fn added_vocabulary(&self) -> Vec<(String, bool)> {
        let mut added: Vec<(u32, AddedToken)> = self.engine.get_added_tokens_decoder().into_iter().collect();
        added.sort_unstable_by_key(|(id, _)| *id);
        added.into_iter().map(|(_, token)| (token.content, token.special)).collect()
    }

    fn add_special_tokens(&mut self, tokens: &[&str]) -> Result<()> {
        let missing: Vec<&&str> = tokens.iter().filter(|token| self.engine.token_to_id(token).is_none()).collect();
        let added = missing.into_iter().map(|token| AddedToken::from(*token, true).normalized(false));
        guarded("adding tokens", || self.engine.add_special_tokens(added)).map(|_| ())
    }

    /// The engine's own steps but for the search for added tokens.
    fn encode_as_text(&self, text: &str) -> Result<Vec<u32>> {
        guarded("tokenization", || {
            let mut normalized = NormalizedString::from(text);
            if let Some(normalizer) = self.engine.get_normalizer() {
                normalizer.normalize(&mut normalized)?;
            }
            let mut split = PreTokenizedString::from(normalized.get());
            if let Some(splitter) = self.engine.get_pre_tokenizer() {
                splitter.pre_tokenize(&mut split)?;
            }
            let mut ids = Vec::new();
            for (part, ..) in split.get_splits(OffsetReferential::Original, OffsetType::Byte) {
                ids.extend(self.engine.get_model().tokenize(part)?.into_iter().map(|token| token.id));
            }
            Ok(ids)
        })
    }
}

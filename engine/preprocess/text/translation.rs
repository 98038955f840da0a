//! Texts to translate, for tokenizers that name languages by tokens.

use super::{EncodeOptions, Tokenizer, Truncation};
use crate::{Error, Result};

/// Classes that prepare texts for translation themselves (`_build_translation_inputs` of the reference).
const CLASSES: &[&str] = &["M2M100Tokenizer", "MBart50Tokenizer", "MBartTokenizer", "NllbTokenizer"];

impl Tokenizer {
    /// Whether a text to translate names its language, and the translation begins with that of its own.
    pub fn names_languages(&self) -> bool {
        CLASSES.contains(&self.class())
    }

    /// The token of a language, by the code that the model has for it (`de`, `de_DE`, `deu_Latn`).
    ///
    /// # Errors
    /// A language that M2M100 does not have. For the others it is the unknown token, as in the reference.
    pub fn language_id(&self, code: &str) -> Result<u32> {
        let id = if self.class() == "M2M100Tokenizer" { self.token_to_id(&format!("__{code}__")) } else { self.convert_token_to_id(code) };
        id.ok_or_else(|| Error::request("language", format!("the model has no language {code:?}")))
    }

    /// The tokens of a text in this language.
    ///
    /// # Errors
    /// A language that the model does not have.
    pub fn encode_in(&self, text: &str, code: &str, truncation: Truncation) -> Result<Vec<u32>> {
        let language = self.language_id(code)?;
        // Where the language of the checkpoint's own settings stands, this one does: before the text, or behind its end.
        let around = self.encode("", None, &EncodeOptions::default())?.ids;
        let eos = self.eos_token_id();
        let behind = around.first().copied() == eos;
        let max_length = self.model_max_length().map(|length| length.saturating_sub(around.len()));
        let options = EncodeOptions { truncation, max_length, ..EncodeOptions::default().without_special_tokens() };
        let ids = self.encode(text, None, &options)?.ids;
        Ok(if behind {
            ids.into_iter().chain(eos).chain([language]).collect()
        } else {
            [language].into_iter().chain(ids).chain(eos).collect()
        })
    }
}

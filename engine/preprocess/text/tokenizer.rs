//! The tokenizer of a checkpoint: its vocabulary, special tokens and defaults.

use std::sync::OnceLock;

use super::backend::Backend;

/// A side of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    #[default]
    Right,
}

/// The tokenizer of a checkpoint. Shared freely between threads.
pub struct Tokenizer {
    pub(crate) backend: Backend,
    pub(crate) special: SpecialTokens,
    pub(crate) settings: Settings,
    /// What [`Tokenizer::token_bytes`] puts before a token.
    pub(crate) before: OnceLock<Vec<String>>,
}

/// The tokens with a meaning of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// By name, `bos_token` and so on, in the order of the reference.
    pub(crate) named: Vec<(String, String)>,
    /// Those without a name.
    pub(crate) extra: Vec<String>,
}

/// What does not decide how a text is split.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) class: String,
    pub(crate) model_max_length: Option<usize>,
    /// The one length that the model's graph is for.
    pub(crate) fixed_length: Option<usize>,
    pub(crate) padding_side: Side,
    pub(crate) truncation_side: Side,
    pub(crate) pad_token_type_id: u32,
    pub(crate) model_input_names: Vec<String>,
    pub(crate) clean_up_tokenization_spaces: bool,
    /// Cleaning up is ignored for BPE, where it would eat spaces that belong to the text, unless this says otherwise.
    pub(crate) clean_up_despite_bpe: bool,
    /// Added tokens that are control tokens of chats beside the special ones, where the checkpoint lists them.
    pub(crate) chat_control_tokens: Option<Vec<String>>,
}

impl SpecialTokens {
    /// A special token by its name in `tokenizer_config.json`, such as `mask_token`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(named, _)| named == name).map(|(_, token)| token.as_str())
    }

    /// Those that have a name, with it, in the order of the reference.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named.iter().map(|(name, token)| (name.as_str(), token.as_str()))
    }

    /// The token before a text, for models that have one.
    pub fn bos_token(&self) -> Option<&str> {
        self.get("bos_token")
    }

    /// The token after a text.
    pub fn eos_token(&self) -> Option<&str> {
        self.get("eos_token")
    }

    /// The token for what the vocabulary lacks.
    pub fn unk_token(&self) -> Option<&str> {
        self.get("unk_token")
    }

    /// The token between two texts.
    pub fn sep_token(&self) -> Option<&str> {
        self.get("sep_token")
    }

    /// The token that fills up a batch.
    pub fn pad_token(&self) -> Option<&str> {
        self.get("pad_token")
    }

    /// The token whose vector stands for the whole text.
    pub fn cls_token(&self) -> Option<&str> {
        self.get("cls_token")
    }

    /// The token to be filled in.
    pub fn mask_token(&self) -> Option<&str> {
        self.get("mask_token")
    }

    /// All of them, named ones first, each once.
    pub fn all(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for token in self.named.iter().map(|(_, token)| token).chain(&self.extra) {
            if !all.contains(&token.as_str()) {
                all.push(token);
            }
        }
        all
    }
}

impl Tokenizer {
    /// The class of the reference that this tokenizer follows, such as `BertTokenizer`.
    pub fn class(&self) -> &str {
        &self.settings.class
    }

    /// The special tokens.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// The ids of all special tokens.
    pub fn all_special_ids(&self) -> Vec<u32> {
        self.special.all().into_iter().filter_map(|token| self.convert_token_to_id(token)).collect()
    }

    /// The id of a token; `None` when the vocabulary lacks it.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.backend.token_to_id(token)
    }

    /// The id of a token, or of the unknown token when the vocabulary lacks it.
    pub fn convert_token_to_id(&self, token: &str) -> Option<u32> {
        self.token_to_id(token).or_else(|| self.token_to_id(self.special.unk_token()?))
    }

    /// The token with an id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.backend.id_to_token(id)
    }

    /// The id of `bos_token`.
    pub fn bos_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.bos_token()?)
    }

    /// The id of `eos_token`.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.eos_token()?)
    }

    /// The id of `unk_token`.
    pub fn unk_token_id(&self) -> Option<u32> {
        self.token_to_id(self.special.unk_token()?)
    }

    /// The id of `sep_token`.
    pub fn sep_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.sep_token()?)
    }

    /// The id of `pad_token`.
    pub fn pad_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.pad_token()?)
    }

    /// The id of `cls_token`.
    pub fn cls_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.cls_token()?)
    }

    /// The id of `mask_token`.
    pub fn mask_token_id(&self) -> Option<u32> {
        self.convert_token_to_id(self.special.mask_token()?)
    }

    /// The size of the vocabulary without the tokens added to it.
    pub fn vocab_size(&self) -> usize {
        self.backend.vocab_size(false)
    }

    /// The size of the vocabulary with the tokens added to it; Python's `len(tokenizer)`.
    pub fn vocab_size_with_added(&self) -> usize {
        self.backend.vocab_size(true)
    }

    /// The most tokens that the model takes; `None` when the checkpoint does not say.
    pub fn model_max_length(&self) -> Option<usize> {
        [self.settings.model_max_length, self.settings.fixed_length].into_iter().flatten().min()
    }

    /// Cuts every text to this many tokens from now on, for a model that takes no more.
    pub(crate) fn fit(&mut self, length: usize) {
        self.settings.fixed_length = Some(length);
    }

    /// The length that every text is cut to.
    pub(crate) fn fixed_length(&self) -> Option<usize> {
        self.settings.fixed_length
    }

    /// The side that padding goes to.
    pub fn padding_side(&self) -> Side {
        self.settings.padding_side
    }

    /// The side that truncation cuts at.
    pub fn truncation_side(&self) -> Side {
        self.settings.truncation_side
    }

    /// What the model takes of an encoding: `input_ids`, `attention_mask`, `token_type_ids`.
    pub fn model_input_names(&self) -> &[String] {
        &self.settings.model_input_names
    }

    /// `chat_control_tokens` of `tokenizer_config.json`: the added tokens that are control tokens of chats beside the special ones.
    pub fn chat_control_tokens(&self) -> Option<&[String]> {
        self.settings.chat_control_tokens.as_deref()
    }

    /// How many tokens are added to a text, or to a pair of texts.
    pub fn num_special_tokens_to_add(&self, pair: bool) -> usize {
        self.backend.num_special_tokens_to_add(pair)
    }

    /// What marks a token that continues a word, such as `##`; `None` where the vocabulary marks none.
    pub fn continuing_subword_prefix(&self) -> Option<&str> {
        self.backend.continuing_subword_prefix().filter(|prefix| !prefix.is_empty())
    }

    /// The tokenizer as `tokenizer.json`; `None` where that format cannot say what it does.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        self.backend.to_json()
    }

    /// Whether tokens know their place in the text. The classes that the reference wrote in Python do not.
    pub fn has_offsets(&self) -> bool {
        matches!(self.backend, Backend::Fast(_))
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("special", &self.special).field("settings", &self.settings).finish_non_exhaustive()
    }
}

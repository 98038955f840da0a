//! `tokenizer.json` and the plain vocabulary files, as data.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;

use super::backend::guarded;
use super::init::Token;
use crate::{Error, ErrorKind, Result};

/// `tokenizer.json`. Its truncation and padding are left out: they belong to whoever saved it.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenizerJson {
    #[serde(default)]
    pub(crate) added_tokens: Vec<JsonToken>,
    #[serde(default)]
    pub(crate) normalizer: Value,
    #[serde(default)]
    pub(crate) pre_tokenizer: Value,
    #[serde(default)]
    pub(crate) post_processor: Value,
    #[serde(default)]
    pub(crate) decoder: Value,
    #[serde(default)]
    pub(crate) truncation: Value,
    #[serde(default)]
    pub(crate) padding: Value,
    pub(crate) model: ModelJson,
}

/// An entry of `added_tokens`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JsonToken {
    pub(crate) id: u32,
    #[serde(flatten)]
    pub(crate) token: Token,
}

/// The `model` of `tokenizer.json`, of any kind.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ModelJson {
    #[serde(rename = "type")]
    pub(crate) kind: Option<Kind>,
    pub(crate) vocab: Vocab,
    pub(crate) merges: Option<Vec<Merge>>,
    pub(crate) unk_token: Option<String>,
    pub(crate) unk_id: Option<usize>,
    pub(crate) continuing_subword_prefix: Option<String>,
    pub(crate) end_of_word_suffix: Option<String>,
    pub(crate) max_input_chars_per_word: Option<usize>,
    pub(crate) fuse_unk: Option<bool>,
    pub(crate) byte_fallback: Option<bool>,
    pub(crate) ignore_merges: Option<bool>,
}

/// How a model splits words into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(clippy::upper_case_acronyms)]
pub(crate) enum Kind {
    BPE,
    Unigram,
    WordLevel,
    WordPiece,
}

/// The tokens of a model: with their ids, or in the order of their ids with their scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Vocab {
    Ids(Vec<(String, u32)>),
    Scores(Vec<(String, f64)>),
}

/// Two tokens that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge(pub(crate) String, pub(crate) String);

impl ModelJson {
    /// The kind; older files leave it out.
    pub(crate) fn kind(&self) -> Kind {
        self.kind.unwrap_or(match self {
            Self { merges: Some(_), .. } => Kind::BPE,
            Self { vocab: Vocab::Scores(_), .. } => Kind::Unigram,
            Self { continuing_subword_prefix: Some(_), .. } => Kind::WordPiece,
            _ => Kind::WordLevel,
        })
    }

    /// The model itself.
    pub(crate) fn build(self) -> Result<ModelWrapper> {
        guarded("loading the vocabulary", || {
            Ok(match self.kind() {
                Kind::BPE => self.bpe()?.into(),
                Kind::Unigram => Unigram::from(self.vocab.into_scores(), self.unk_id, self.byte_fallback.unwrap_or(false))?.into(),
                Kind::WordLevel => self.word_level()?.into(),
                Kind::WordPiece => self.word_piece()?.into(),
            })
        })
    }

    fn bpe(self) -> tokenizers::Result<BPE> {
        let merges = self.merges.unwrap_or_default().into_iter().map(|Merge(left, right)| (left, right)).collect();
        let mut builder = BPE::builder()
            .vocab_and_merges(self.vocab.into_ids(), merges)
            .fuse_unk(self.fuse_unk.unwrap_or(false))
            .byte_fallback(self.byte_fallback.unwrap_or(false))
            .ignore_merges(self.ignore_merges.unwrap_or(false));
        if let Some(unk_token) = self.unk_token {
            builder = builder.unk_token(unk_token);
        }
        if let Some(prefix) = self.continuing_subword_prefix {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(suffix) = self.end_of_word_suffix {
            builder = builder.end_of_word_suffix(suffix);
        }
        builder.build()
    }

    fn word_piece(self) -> tokenizers::Result<WordPiece> {
        WordPiece::builder()
            .vocab(self.vocab.into_ids())
            .unk_token(self.unk_token.unwrap_or_else(|| "[UNK]".to_owned()))
            .continuing_subword_prefix(self.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned()))
            .max_input_chars_per_word(self.max_input_chars_per_word.unwrap_or(100))
            .build()
    }

    fn word_level(self) -> tokenizers::Result<WordLevel> {
        WordLevel::builder().vocab(self.vocab.into_ids()).unk_token(self.unk_token.unwrap_or_else(|| "<unk>".to_owned())).build()
    }
}

impl Vocab {
    /// By token; a list gives ids by place.
    pub(crate) fn into_ids(self) -> ahash::AHashMap<String, u32> {
        self.into_entries().into_iter().collect()
    }

    /// The tokens with their ids.
    pub(crate) fn into_entries(self) -> Vec<(String, u32)> {
        match self {
            Self::Ids(ids) => ids,
            Self::Scores(scores) => scores.into_iter().zip(0..).map(|((token, _), id)| (token, id)).collect(),
        }
    }

    /// The tokens alone, in their order.
    pub(crate) fn into_tokens(self) -> Vec<String> {
        match self {
            Self::Ids(ids) => ids.into_iter().map(|(token, _)| token).collect(),
            Self::Scores(scores) => scores.into_iter().map(|(token, _)| token).collect(),
        }
    }

    /// In the order of ids; a map without scores gives all tokens the same.
    pub(crate) fn into_scores(self) -> Vec<(String, f64)> {
        match self {
            Self::Scores(scores) => scores,
            Self::Ids(mut ids) => {
                ids.sort_by_key(|(_, id)| *id);
                ids.into_iter().map(|(token, _)| (token, 0.0)).collect()
            }
        }
    }
}

impl Default for Vocab {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct MapOrList;

        impl<'de> Visitor<'de> for MapOrList {
            type Value = Vocab;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with their ids, or a list of tokens with their scores")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Vocab, M::Error> {
                let mut ids = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    ids.push(entry);
                }
                Ok(Vocab::Ids(ids))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> std::result::Result<Vocab, S::Error> {
                let mut scores = Vec::new();
                while let Some(entry) = list.next_element()? {
                    scores.push(entry);
                }
                Ok(Vocab::Scores(scores))
            }
        }

        deserializer.deserialize_any(MapOrList)
    }
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Pair(String, String),
            Line(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Pair(left, right) => Ok(Self(left, right)),
            Form::Line(line) => Self::parse(&line).ok_or_else(|| serde::de::Error::custom(format!("merge {line:?} is not two tokens"))),
        }
    }
}

impl Merge {
    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(' ')?;
        (!right.contains(' ')).then(|| Self(left.to_owned(), right.to_owned()))
    }
}

impl TokenizerJson {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| damaged("tokenizer.json", error))
    }
}

/// `vocab.txt`: a token a line.
pub(crate) fn read_vocab_txt(bytes: &[u8]) -> Result<Vocab> {
    let text = utf8("vocab.txt", bytes)?;
    if text.is_empty() {
        return Err(damaged("vocab.txt", "the file is empty; download it again"));
    }
    // The last of equal tokens wins, as in the reference.
    let tokens: Vec<(String, u32)> = text.lines().zip(0..).map(|(line, id)| (line.trim_end().to_owned(), id)).collect();
    Ok(Vocab::Ids(tokens))
}

/// `vocab.json`: tokens with their ids. What is not a number is left out.
pub(crate) fn read_vocab_json(name: &str, bytes: &[u8]) -> Result<Vocab> {
    let map: serde_json::Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| damaged(name, error))?;
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    Ok(Vocab::Ids(map.into_iter().filter_map(|(token, value)| id(&value).map(|id| (token, id))).collect()))
}

/// `merges.txt`: two tokens a line, most wanted first.
pub(crate) fn read_merges(name: &str, bytes: &[u8]) -> Result<Vec<Merge>> {
    let text = utf8(name, bytes)?;
    text.lines()
        .zip(1..)
        .filter(|(line, _)| !line.starts_with("#version"))
        .map(|(line, number)| Merge::parse(line).ok_or_else(|| damaged(name, format!("line {number} is not two tokens"))))
        .collect()
}

pub(crate) fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| damaged(name, error))
}

/// The error for a tokenizer file that cannot be read.
pub(crate) fn damaged(name: &str, error: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Checkpoint, format!("{name}: {error}"))
}

//! How a text is cut before the vocabulary sees it: the pre-tokenizers of the `tokenizers` crate, and Chinese words for RoFormer.

use serde::{Deserialize, Serialize};
use tokenizers::{PreTokenizedString, PreTokenizer, PreTokenizerWrapper};

/// A pre-tokenizer.
#[derive(Debug)]
pub(crate) enum Splitter {
    Standard(PreTokenizerWrapper),
    #[cfg(feature = "jieba")]
    Jieba(super::jieba::Jieba),
}

impl From<PreTokenizerWrapper> for Splitter {
    fn from(splitter: PreTokenizerWrapper) -> Self {
        Self::Standard(splitter)
    }
}

impl<'de> Deserialize<'de> for Splitter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PreTokenizerWrapper::deserialize(deserializer).map(Self::Standard)
    }
}

impl Serialize for Splitter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Standard(splitter) => splitter.serialize(serializer),
            #[cfg(feature = "jieba")]
            Self::Jieba(_) => Err(serde::ser::Error::custom("tokenizer.json has no name for cutting Chinese words")),
        }
    }
}

impl PreTokenizer for Splitter {
    fn pre_tokenize(&self, pretokenized: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Self::Standard(splitter) => splitter.pre_tokenize(pretokenized),
            #[cfg(feature = "jieba")]
            Self::Jieba(jieba) => jieba.pre_tokenize(pretokenized),
        }
    }
}

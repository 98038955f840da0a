//! Text: the tokenizers of a checkpoint, built from whichever of their files are there, as Python's `AutoTokenizer` builds them.

mod added;
mod backend;
mod charsmap;
pub mod chat;
mod class;
mod classes;
mod decode;
mod decode_stream;
mod encode;
mod encoding;
mod files;
mod init;
#[cfg(feature = "jieba")]
mod jieba;
mod jinja;
mod load;
mod pad;
mod parts;
mod post_processor;
mod python;
mod sentencepiece;
mod splitter;
mod tiktoken;
mod token_bytes;
mod tokenizer;
mod translation;
mod vocabulary;

pub(crate) use decode::clean_up_tokenization;
pub use decode_stream::DecodeStream;
pub(crate) use decode_stream::take_front;
pub use encode::{EncodeOptions, PaddingStrategy, Text, Truncation};
pub use encoding::Encoding;
pub use files::{Files, Folder};
pub use pad::{Batch, Padding};
pub use python::{CtcOffset, CtcText};
pub use tokenizer::{Side, SpecialTokens, Tokenizer};

//! SentencePiece itself, for the classes that call it: normalization, pieces, and text from pieces.

use std::collections::HashMap;

use tokenizers::{Model, ModelWrapper};

use crate::Result;
use crate::preprocess::text::charsmap::{has_leaf, label, offset};
use crate::preprocess::text::sentencepiece::{ModelProto, PieceType};
use crate::preprocess::text::vocabulary::{Kind, ModelJson, Vocab};

const SPACE: &str = "▁";

pub(super) struct Processor {
    model: ModelWrapper,
    pieces: HashMap<String, PieceType>,
    charsmap: Option<CharsMap>,
    add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
}

impl Processor {
    pub(super) fn new(proto: &ModelProto) -> Result<Self> {
        let kind = proto.kind();
        let (_, merges) = proto.vocabulary(kind);
        let vocab = match kind {
            Kind::BPE => Vocab::Ids(proto.searchable().into_iter().zip(0..).map(|((piece, _), id)| (piece, id)).collect()),
            _ => Vocab::Scores(proto.searchable()),
        };
        let model = ModelJson {
            kind: Some(kind),
            vocab,
            merges,
            unk_id: Some(proto.unk_id()),
            unk_token: Some(proto.unk_piece().to_owned()),
            fuse_unk: Some(true),
            byte_fallback: Some(proto.byte_fallback()),
            ..ModelJson::default()
        };
        Ok(Self {
            model: model.build()?,
            pieces: proto.pieces.iter().map(|piece| (piece.text().to_owned(), piece.kind())).collect(),
            charsmap: proto.precompiled_charsmap().and_then(CharsMap::parse),
            add_dummy_prefix: proto.add_dummy_prefix(),
            remove_extra_whitespaces: proto.remove_extra_whitespaces(),
        })
    }

    /// The pieces of a text; what the model does not know comes out as it is.
    pub(super) fn encode(&self, text: &str) -> Vec<String> {
        let normalized = self.normalize(text);
        match self.model.tokenize(&normalized) {
            // The value of a token of merges is its piece, which for the unknown is not its text.
            Ok(tokens) => tokens
                .into_iter()
                .map(|token| normalized.get(token.offsets.0..token.offsets.1).map_or(token.value, str::to_owned))
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Spaces become `▁`, one at the beginning; runs of them become one, and none stays at the end.
    fn normalize(&self, text: &str) -> String {
        let mut rest = text;
        if self.remove_extra_whitespaces {
            while let (" ", length) = self.prefix(rest) {
                rest = &rest[length..];
            }
        }
        let mut normalized = String::with_capacity(text.len() + SPACE.len());
        if rest.is_empty() {
            return normalized;
        }
        if self.add_dummy_prefix {
            normalized.push_str(SPACE);
        }
        let mut after_space = self.remove_extra_whitespaces;
        while !rest.is_empty() {
            let (mut part, length) = self.prefix(rest);
            if after_space {
                part = part.trim_start_matches(' ');
            }
            if !part.is_empty() {
                normalized.push_str(&part.replace(' ', SPACE));
                after_space = part.ends_with(' ');
            }
            after_space &= self.remove_extra_whitespaces;
            rest = &rest[length..];
        }
        if self.remove_extra_whitespaces {
            let length = normalized.trim_end_matches(SPACE).len();
            normalized.truncate(length);
        }
        normalized
    }

    /// What the beginning of a text becomes, and how many bytes of it that takes: the longest entry of the table, or a
    /// character. Nothing of nothing.
    fn prefix<'a>(&'a self, text: &'a str) -> (&'a str, usize) {
        let character = text.chars().next().map_or(0, char::len_utf8);
        let found = self.charsmap.as_ref().and_then(|map| map.longest(text));
        found.filter(|(_, length)| text.is_char_boundary(*length)).unwrap_or((&text[..character], character))
    }

    /// The text of pieces: spaces are back, control pieces are gone.
    pub(super) fn decode(&self, pieces: &[String]) -> String {
        let mut bytes = Vec::new();
        let mut text = String::new();
        let mut at_start = true;
        for piece in pieces {
            let kind = self.pieces.get(piece).copied();
            if let Some(byte) = Some(piece).filter(|_| kind == Some(PieceType::Byte)).and_then(|piece| byte(piece)) {
                bytes.push(byte);
                at_start = false;
                continue;
            }
            text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut bytes)));
            match kind {
                Some(PieceType::Control) => continue,
                Some(PieceType::Unknown) => text.push_str(" \u{2047} "),
                _ => {
                    let drops = at_start && (self.add_dummy_prefix || self.remove_extra_whitespaces);
                    let piece = if drops { piece.strip_prefix(SPACE).unwrap_or(piece) } else { piece };
                    text.push_str(&piece.replace(SPACE, " "));
                }
            }
            at_start = false;
        }
        text.push_str(&String::from_utf8_lossy(&bytes));
        text
    }
}

/// The byte of a piece such as `<0x41>`.
fn byte(piece: &str) -> Option<u8> {
    u8::from_str_radix(piece.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// SentencePiece's normalization table: a double-array trie over what is replaced, then the replacements, each ending in a
/// zero byte.
struct CharsMap {
    trie: Vec<u32>,
    replacements: Vec<u8>,
}

impl CharsMap {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
        let (trie, replacements) = rest.split_at_checked(size)?;
        let (units, _) = trie.as_chunks::<4>();
        Some(Self { trie: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(), replacements: replacements.to_vec() })
    }

    /// The replacement of the longest beginning of a text that the table has, and its length in bytes.
    fn longest(&self, text: &str) -> Option<(&str, usize)> {
        let mut place = offset(*self.trie.first()?);
        let mut found = None;
        for (byte, length) in text.bytes().zip(1..) {
            place ^= usize::from(byte);
            let Some(unit) = self.trie.get(place).copied().filter(|unit| label(*unit) == u32::from(byte)) else { break };
            place ^= offset(unit);
            if has_leaf(unit) {
                found = Some((self.trie.get(place)? & 0x7fff_ffff, length));
            }
        }
        let (at, length) = found?;
        let rest = self.replacements.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some((std::str::from_utf8(&rest[..end]).ok()?, length))
    }
}

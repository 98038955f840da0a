//! SentencePiece model files (`spiece.model`, `sentencepiece.bpe.model`, `tokenizer.model`, `source.spm`, …): a protocol buffer.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;

use super::init::{Special, Token};
use super::vocabulary::{Kind, Merge, Vocab, damaged};
use crate::Result;

/// A SentencePiece model, of which what tokenization needs.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer_spec: Option<NormalizerSpec>,
}

/// A token with its score.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(enumeration = "PieceType", optional, tag = "3")]
    kind: Option<i32>,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum PieceType {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
    #[prost(int32, optional, tag = "41")]
    bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42")]
    eos_id: Option<i32>,
    #[prost(string, optional, tag = "45")]
    unk_piece: Option<String>,
    #[prost(string, optional, tag = "46")]
    bos_piece: Option<String>,
    #[prost(string, optional, tag = "47")]
    eos_piece: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
}

const UNIGRAM: i32 = 1;

impl ModelProto {
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let model = Self::decode(bytes).map_err(|error| damaged(name, error))?;
        if model.pieces.is_empty() {
            return Err(damaged(name, "a SentencePiece model without pieces"));
        }
        Ok(model)
    }

    /// How the model splits words.
    pub(crate) fn kind(&self) -> Kind {
        let kind = self.trainer_spec.as_ref().and_then(|spec| spec.model_type);
        if kind.unwrap_or(UNIGRAM) == UNIGRAM { Kind::Unigram } else { Kind::BPE }
    }

    pub(crate) fn unk_id(&self) -> usize {
        let id = self.trainer_spec.as_ref().and_then(|spec| spec.unk_id);
        usize::try_from(id.unwrap_or(0)).unwrap_or(0)
    }

    pub(crate) fn byte_fallback(&self) -> bool {
        self.trainer_spec.as_ref().and_then(|spec| spec.byte_fallback).unwrap_or(false)
    }

    pub(crate) fn unk_piece(&self) -> &str {
        self.trainer_spec.as_ref().and_then(|spec| spec.unk_piece.as_deref()).unwrap_or("<unk>")
    }

    /// The beginning, end and unknown tokens that the model was trained with.
    pub(crate) fn special_tokens(&self) -> Vec<(&'static str, String)> {
        let unset = TrainerSpec::default();
        let spec = self.trainer_spec.as_ref().unwrap_or(&unset);
        let tokens = [
            ("bos_token", spec.bos_id.unwrap_or(1), spec.bos_piece.as_deref().unwrap_or("<s>")),
            ("eos_token", spec.eos_id.unwrap_or(2), spec.eos_piece.as_deref().unwrap_or("</s>")),
            ("unk_token", spec.unk_id.unwrap_or(0), self.unk_piece()),
        ];
        tokens.into_iter().filter(|(_, id, _)| *id >= 0).map(|(name, _, piece)| (name, piece.to_owned())).collect()
    }

    pub(crate) fn precompiled_charsmap(&self) -> Option<&[u8]> {
        self.normalizer_spec.as_ref()?.precompiled_charsmap.as_deref().filter(|map| !map.is_empty())
    }

    /// The normalization table as `tokenizer.json` holds it.
    pub(crate) fn charsmap(&self) -> Option<String> {
        self.precompiled_charsmap().map(|map| STANDARD.encode(map))
    }

    /// Whether a text gets a space before it.
    pub(crate) fn add_dummy_prefix(&self) -> bool {
        self.normalizer_spec.as_ref().and_then(|spec| spec.add_dummy_prefix).unwrap_or(true)
    }

    /// Whether spaces at the ends go, and runs of them become one.
    pub(crate) fn remove_extra_whitespaces(&self) -> bool {
        self.normalizer_spec.as_ref().and_then(|spec| spec.remove_extra_whitespaces).unwrap_or(true)
    }

    /// Pieces with scores as SentencePiece looks for them: control pieces are never found in a text, and user-defined ones
    /// always.
    pub(crate) fn searchable(&self) -> Vec<(String, f64)> {
        let normal = self.pieces.iter().filter(|piece| piece.kind() == PieceType::Normal);
        let best = normal.map(|piece| f64::from(piece.score())).fold(f64::NEG_INFINITY, f64::max);
        let entry = |(place, piece): (usize, &Piece)| match piece.kind() {
            PieceType::Control | PieceType::Unknown => (format!("\u{10ffff}{place}"), 0.0),
            PieceType::UserDefined => (piece.text().to_owned(), piece.text().chars().count() as f64 * best - 0.1),
            _ => (piece.text().to_owned(), f64::from(piece.score())),
        };
        self.pieces.iter().enumerate().map(entry).collect()
    }

    /// Pieces with scores, in the order of their ids.
    pub(crate) fn scores(&self) -> Vec<(String, f64)> {
        self.pieces.iter().map(|piece| (piece.text().to_owned(), f64::from(piece.score()))).collect()
    }

    /// Pieces with ids; of equal pieces the last one counts.
    pub(crate) fn ids(&self) -> Vec<(String, u32)> {
        let mut ids: Vec<(String, u32)> = Vec::with_capacity(self.pieces.len());
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (piece, id) in self.pieces.iter().zip(0..) {
            match places.get(piece.text()) {
                Some(place) => ids[*place].1 = id,
                None => {
                    places.insert(piece.text(), ids.len());
                    ids.push((piece.text().to_owned(), id));
                }
            }
        }
        ids
    }

    /// The control and user-defined pieces: found in a text before anything else is done to it.
    pub(crate) fn added_tokens(&self) -> Vec<Special> {
        let added = self.pieces.iter().filter(|piece| matches!(piece.kind(), PieceType::Control | PieceType::UserDefined));
        added
            .map(|piece| {
                let special = piece.kind() == PieceType::Control;
                Special::Token(Token { normalized: Some(false), special, ..Token::new(piece.text()) })
            })
            .collect()
    }

    /// The vocabulary of a class that works with this kind of model, and its merges.
    pub(crate) fn vocabulary(&self, kind: Kind) -> (Vocab, Option<Vec<Merge>>) {
        if kind == Kind::BPE {
            let ids = self.ids();
            let merges = merges(&ids);
            (Vocab::Ids(ids), Some(merges))
        } else {
            (Vocab::Scores(self.scores()), None)
        }
    }
}

impl Piece {
    pub(crate) fn text(&self) -> &str {
        self.piece.as_deref().unwrap_or_default()
    }
}

/// Merges in the order in which training found them, which is that of the ids of their results: every way to make a
/// piece of two.
fn merges(vocab: &[(String, u32)]) -> Vec<Merge> {
    let ids: HashMap<&str, u32> = vocab.iter().map(|(piece, id)| (piece.as_str(), *id)).collect();
    let mut merges: Vec<(u32, usize, usize, &str, &str)> = Vec::new();
    for (piece, id) in vocab {
        let mut ways: Vec<(u32, u32, &str, &str)> = piece
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| {
                let (left, right) = piece.split_at(at);
                Some((*ids.get(left)?, *ids.get(right)?, left, right))
            })
            .collect();
        ways.sort_by_key(|(left, right, ..)| (*left, *right));
        merges.extend(ways.into_iter().map(|(_, _, left, right)| (*id, left.chars().count(), right.chars().count(), left, right)));
    }
    merges.sort_by_key(|(id, left, right, ..)| (*id, *left, *right));
    merges.into_iter().map(|(.., left, right)| Merge(left.to_owned(), right.to_owned())).collect()
}

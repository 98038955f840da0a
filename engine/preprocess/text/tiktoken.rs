//! tiktoken files: a token a line, its bytes in base64, and its rank.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::classes::Recipe;
use super::init::{Init, Token};
use super::parts::Parts;
use super::vocabulary::{Kind, Merge, ModelJson, Vocab, damaged, utf8};
use crate::Result;

/// Ids above this are not believed: the gaps below them are filled with tokens.
const MAX_TOKENS: u32 = 4_000_000;

/// Builds the parts of a tokenizer, with the special tokens that follow the vocabulary.
pub(crate) fn parts(name: &str, bytes: &[u8], init: &Init) -> Result<Parts> {
    const WORDS: &str =
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let ranks = parse(name, bytes)?;
    let added = special_tokens(ranks.len(), init).into_iter();
    let added = added.map(|token| Token { normalized: Some(false), ..Token::special(token) }).collect();
    let model = ModelJson {
        kind: Some(Kind::BPE),
        merges: Some(merges(&ranks)),
        vocab: Vocab::Ids(ranks.into_iter().map(|(token, rank)| (printable(&token), rank)).collect()),
        ignore_merges: Some(true),
        ..ModelJson::default()
    };
    let split = json!({"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": false});
    let byte_level =
        |trim_offsets: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": trim_offsets, "use_regex": false});
    let recipe = Recipe {
        model,
        pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [split, byte_level(true)]}),
        decoder: byte_level(true),
        ..Recipe::default()
    };
    Ok(Parts { recipe, added, post_processor: byte_level(false) })
}

fn parse(name: &str, bytes: &[u8]) -> Result<Vec<(Vec<u8>, u32)>> {
    let text = utf8(name, bytes).map_err(|_| damaged(name, "neither a SentencePiece model nor a tiktoken file"))?;
    let mut ranks = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.is_empty()) {
        let entry = line.split_once(' ').and_then(|(token, rank)| Some((STANDARD.decode(token).ok()?, rank.trim().parse().ok()?)));
        ranks.push(entry.ok_or_else(|| damaged(name, format!("line {number} is not a token in base64 and its rank")))?);
    }
    if ranks.is_empty() {
        return Err(damaged(name, "the file is empty"));
    }
    Ok(ranks)
}

/// The tokens after the vocabulary: those of `added_tokens_decoder`, gaps filled, then the other special ones.
fn special_tokens(vocab_size: usize, init: &Init) -> Vec<String> {
    let extra = init.extra().iter().map(|special| special.content().to_owned());
    let base = u32::try_from(vocab_size).unwrap_or(MAX_TOKENS);
    let last = init.added_tokens.keys().next_back().copied().unwrap_or(0);
    if last < base || last > MAX_TOKENS {
        return extra.collect();
    }
    let reserved = |id: u32| init.added_tokens.get(&id).map_or_else(|| format!("<|reserved_token_{id}|>"), |token| token.content.clone());
    let mut tokens: Vec<String> = (base..=last).map(reserved).collect();
    let extra: Vec<String> = extra.filter(|token| !tokens.contains(token)).collect();
    tokens.extend(extra);
    tokens
}

/// Every way to make a token of two, in the order of ranks.
fn merges(ranks: &[(Vec<u8>, u32)]) -> Vec<Merge> {
    let by_token: HashMap<&[u8], u32> = ranks.iter().map(|(token, rank)| (token.as_slice(), *rank)).collect();
    let mut merges: Vec<(u32, &[u8], &[u8])> = Vec::new();
    for (token, rank) in ranks {
        let mut ways: Vec<(u32, u32, &[u8], &[u8])> = (1..token.len())
            .filter_map(|at| {
                let (left, right) = token.split_at(at);
                Some((*by_token.get(left)?, *by_token.get(right)?, left, right))
            })
            .collect();
        ways.sort_by_key(|(left, right, ..)| (*left, *right));
        merges.extend(ways.into_iter().map(|(_, _, left, right)| (*rank, left, right)));
    }
    merges.sort_by_key(|(rank, ..)| *rank);
    merges.into_iter().map(|(_, left, right)| Merge(printable(left), printable(right))).collect()
}

/// Bytes as GPT-2 writes them: each one a printable character.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| byte_char(*byte)).collect()
}

fn byte_char(byte: u8) -> char {
    match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        // The others follow from U+0100 on, in order.
        0..=0x20 => shifted(u32::from(byte)),
        0x7f..=0xa0 => shifted(u32::from(byte) - 0x7f + 33),
        0xad => shifted(67),
    }
}

fn shifted(place: u32) -> char {
    char::from_u32(0x100 + place).unwrap_or(char::REPLACEMENT_CHARACTER)
}

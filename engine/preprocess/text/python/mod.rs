//! Tokenizers that the reference wrote in Python. They know no offsets: a text becomes tokens, and tokens ids.

mod added;
mod blenderbot_small;
mod ctc;
mod esm;
mod m2m_100;
mod marian;
mod processor;
mod prophetnet;

use serde_json::Value;

pub use ctc::{CtcOffset, CtcText};

use super::backend::{Joining, longest_first_python};
use super::encode::Cut;
use super::init::{Init, Token};
use super::{EncodeOptions, Encoding, Files, Side, SpecialTokens, Text, Truncation};
use crate::Result;
use added::AddedTokens;

pub(super) use blenderbot_small::BLENDERBOT_SMALL;
pub(super) use ctc::WAV2VEC2_CTC;
pub(super) use esm::ESM;
pub(super) use m2m_100::M2M_100;
pub(super) use marian::MARIAN;
pub(super) use prophetnet::PROPHETNET;

/// What is particular to a class.
pub(crate) trait Words: Send + Sync {
    /// Splits a text without added tokens.
    fn tokenize(&self, text: &str) -> Vec<String>;

    /// The id of a token of the vocabulary.
    fn token_to_id(&self, token: &str) -> Option<u32>;

    /// The id of a token, as far as adding it again is concerned.
    fn own_id(&self, token: &str) -> Option<u32> {
        self.token_to_id(token)
    }

    /// The token of the vocabulary with an id.
    fn id_to_token(&self, id: u32) -> Option<String>;

    /// How many tokens the vocabulary has.
    fn size(&self) -> usize;

    /// The text of tokens.
    fn join(&self, tokens: &[String], special: &SpecialTokens) -> String;

    /// How the texts of tokens make the text of all.
    fn joining(&self) -> Joining {
        Joining::Pieces
    }

    /// Whether the text of a token is open until the next one comes.
    fn is_open(&self, _: &str) -> bool {
        false
    }

    /// Whether the vocabulary knows its tokens better than the list of added ones.
    fn before_added(&self) -> bool {
        false
    }

    /// What reads the output of a speech model.
    fn ctc(&self) -> Option<&ctc::Ctc> {
        None
    }
}

/// A class's share of a tokenizer.
pub(crate) struct Parts {
    pub(crate) words: Box<dyn Words>,
    /// The tokens around a text and around two, such as `{cls_token} $A {eos_token}`.
    pub(crate) template: [String; 2],
    /// Tokens added after the special ones.
    pub(crate) added: Vec<Token>,
    /// Tokens that are never split, though not added.
    pub(crate) unsplit: Vec<String>,
    /// Special tokens that stand in the text count as added.
    pub(crate) marks_special_tokens: bool,
}

impl Parts {
    fn new(words: impl Words + 'static) -> Self {
        let template = ["$A".to_owned(), "$A $B".to_owned()];
        Self { words: Box::new(words), template, added: Vec::new(), unsplit: Vec::new(), marks_special_tokens: false }
    }
}

/// How a class is read from the files of a checkpoint.
pub(crate) type Read = fn(&dyn Files, &mut Init) -> Result<Parts>;

pub(crate) struct Python {
    words: Box<dyn Words>,
    added: AddedTokens,
    single: Vec<Piece>,
    pair: Vec<Piece>,
    unk_token: Option<String>,
    special: Vec<String>,
    special_ids: Vec<u32>,
    marks_special_tokens: bool,
    /// Takes special tokens in a text for text.
    split_special_tokens: bool,
}

/// A part of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    First,
    Second,
    Token(u32),
}

impl Python {
    pub(crate) fn new(parts: Parts, init: &Init, special: &SpecialTokens) -> Self {
        let added = AddedTokens::new(&*parts.words, init, special, parts.added, &parts.unsplit);
        let mut python = Self {
            words: parts.words,
            added,
            single: Vec::new(),
            pair: Vec::new(),
            unk_token: special.unk_token().map(str::to_owned),
            special: special.all().into_iter().map(str::to_owned).collect(),
            special_ids: Vec::new(),
            marks_special_tokens: parts.marks_special_tokens,
            split_special_tokens: init.flag("split_special_tokens", false),
        };
        python.special_ids = python.special.iter().filter_map(|token| python.convert(token)).collect();
        [python.single, python.pair] = parts.template.map(|form| python.pieces(&form, special));
        python
    }

    fn pieces(&self, form: &str, special: &SpecialTokens) -> Vec<Piece> {
        form.split_whitespace()
            .filter_map(|piece| match piece {
                "$A" => Some(Piece::First),
                "$B" => Some(Piece::Second),
                name if name.starts_with('{') => self.convert(special.get(name.trim_matches(['{', '}']))?).map(Piece::Token),
                token => self.convert(token).map(Piece::Token),
            })
            .collect()
    }

    pub(crate) fn encode(&self, text: Text<'_>, pair: Option<Text<'_>>, options: &EncodeOptions, cut: Option<&Cut>) -> Encoding {
        let mut first = self.ids(text);
        let mut second = pair.map(|pair| self.ids(pair));
        if let Some(cut) = cut.filter(|cut| cut.max_length > 0) {
            let added = if options.add_special_tokens { self.added_tokens(second.is_some()) } else { 0 };
            truncate(&mut first, second.as_mut(), added, cut);
        }
        let template = match (options.add_special_tokens, &second) {
            (true, None) => self.single.as_slice(),
            (true, Some(_)) => self.pair.as_slice(),
            (false, _) => &[Piece::First, Piece::Second],
        };
        // Token types are 1 for everything that a second text adds.
        let alone = if options.add_special_tokens { first.len() + self.added_tokens(false) } else { usize::MAX };
        let mut encoding = Encoding::default();
        for piece in template {
            let (ids, sequence) = match piece {
                Piece::First => (first.as_slice(), Some(0)),
                Piece::Second => (second.as_deref().unwrap_or_default(), Some(1)),
                Piece::Token(id) => (std::slice::from_ref(id), None),
            };
            encoding.ids.extend_from_slice(ids);
            encoding.sequence_ids.extend(std::iter::repeat_n(sequence, ids.len()));
        }
        let length = encoding.ids.len();
        encoding.special_tokens_mask = encoding.sequence_ids.iter().map(|sequence| u32::from(sequence.is_none())).collect();
        encoding.type_ids = (0..length).map(|at| u32::from(at >= alone)).collect();
        encoding.attention_mask = vec![1; length];
        encoding.tokens = encoding.ids.iter().map(|id| self.token(*id)).collect();
        if self.marks_special_tokens && options.add_special_tokens {
            self.mark_special_tokens(&mut encoding);
        }
        encoding.offsets = vec![(0, 0); length];
        encoding.word_ids = vec![None; length];
        encoding
    }

    fn mark_special_tokens(&self, encoding: &mut Encoding) {
        for (mask, id) in encoding.special_tokens_mask.iter_mut().zip(&encoding.ids) {
            *mask |=
                u32::from(self.special_ids.contains(id) && self.unk_token.as_deref().and_then(|unk| self.token_to_id(unk)) != Some(*id));
        }
    }

    fn ids(&self, text: Text<'_>) -> Vec<u32> {
        match text {
            Text::Str(text) => self.tokenize(text),
            Text::Words(words) => words.iter().flat_map(|word| self.tokenize(word)).collect(),
        }
        .iter()
        .filter_map(|token| self.convert(token))
        .collect()
    }

    pub(crate) fn added_vocabulary(&self) -> Vec<(String, bool)> {
        self.added.tokens().map(|token| (token.content.clone(), token.special)).collect()
    }

    pub(crate) fn add_special_tokens(&mut self, tokens: &[&str]) {
        for token in tokens {
            if self.token_to_id(token).is_none() {
                self.added.add(&*self.words, Token { normalized: Some(false), ..Token::special(*token) });
            }
        }
    }

    /// The tokens of a text in which no added token is looked for.
    pub(crate) fn encode_as_text(&self, text: &str) -> Vec<u32> {
        self.words.tokenize(text).iter().filter_map(|token| self.convert(token)).collect()
    }

    fn tokenize(&self, text: &str) -> Vec<String> {
        if self.split_special_tokens {
            return self.words.tokenize(text);
        }
        let mut tokens = Vec::new();
        for (part, known) in self.added.split(text) {
            if known || self.special.contains(&part) {
                tokens.push(part);
            } else {
                tokens.extend(self.words.tokenize(&part));
            }
        }
        tokens
    }

    /// The id of a token, or of the unknown token.
    fn convert(&self, token: &str) -> Option<u32> {
        self.token_to_id(token).or_else(|| self.token_to_id(self.unk_token.as_deref()?))
    }

    pub(crate) fn token_to_id(&self, token: &str) -> Option<u32> {
        self.added.id(token).or_else(|| self.words.token_to_id(token))
    }

    pub(crate) fn id_to_token(&self, id: u32) -> Option<String> {
        if self.words.before_added() {
            self.words.id_to_token(id).or_else(|| self.added.token(id))
        } else {
            self.added.token(id).or_else(|| self.words.id_to_token(id))
        }
    }

    /// The token with an id, or the unknown token.
    fn token(&self, id: u32) -> String {
        self.id_to_token(id).or_else(|| self.unk_token.clone()).unwrap_or_default()
    }

    pub(crate) fn vocab_size(&self, with_added: bool) -> usize {
        if with_added { self.added.size_with(&*self.words) } else { self.words.size() }
    }

    pub(crate) fn added_tokens(&self, pair: bool) -> usize {
        let template = if pair { &self.pair } else { &self.single };
        template.iter().filter(|piece| matches!(piece, Piece::Token(_))).count()
    }

    pub(crate) fn decode(&self, ids: &[u32], skip_special_tokens: bool, special: &SpecialTokens) -> String {
        self.join(&self.tokens(ids, skip_special_tokens), special)
    }

    pub(crate) fn join(&self, tokens: &[String], special: &SpecialTokens) -> String {
        self.words.join(tokens, special)
    }

    fn tokens(&self, ids: &[u32], skip_special_tokens: bool) -> Vec<String> {
        let delimiter = self.words.ctc().and_then(|ctc| self.token_to_id(&ctc.word_delimiter));
        let skipped = |id: &u32| skip_special_tokens && self.special_ids.contains(id) && delimiter != Some(*id);
        ids.iter().filter(|id| !skipped(id)).map(|id| self.token(*id)).collect()
    }

    pub(crate) fn joining(&self) -> Joining {
        self.words.joining()
    }

    pub(crate) fn is_open(&self, token: &str) -> bool {
        self.words.is_open(token)
    }

    pub(crate) fn shown_token(&self, id: u32, skip_special_tokens: bool) -> Option<String> {
        self.tokens(&[id], skip_special_tokens).pop()
    }

    /// The text of the output of a speech model, with the place of each character and word; `None` for other classes.
    pub(crate) fn decode_ctc(&self, ids: &[u32], skip_special_tokens: bool, special: &SpecialTokens) -> Option<CtcText> {
        let ctc = self.words.ctc()?;
        Some(ctc.read(&self.tokens(ids, skip_special_tokens), special.pad_token()))
    }
}

/// Cuts off what is too much. A text that is not to be truncated stays, even if the input is still too long.
fn truncate(first: &mut Vec<u32>, second: Option<&mut Vec<u32>>, added: usize, cut: &Cut) {
    let total = first.len() + second.as_ref().map_or(0, |second| second.len()) + added;
    let Some(excess) = total.checked_sub(cut.max_length).filter(|excess| *excess > 0) else { return };
    match (cut.truncation, second) {
        (Truncation::OnlyFirst, _) | (Truncation::LongestFirst, None) => shorten(first, excess, cut.side),
        (Truncation::LongestFirst, Some(second)) => {
            let (from_first, from_second) = longest_first_python(first.len(), second.len(), excess);
            shorten(first, from_first, cut.side);
            shorten(second, from_second, cut.side);
        }
        (Truncation::OnlySecond, Some(second)) => shorten(second, excess, cut.side),
        (Truncation::OnlySecond, None) | (Truncation::DoNotTruncate, _) => {}
    }
}

fn shorten(ids: &mut Vec<u32>, by: usize, side: Side) {
    let length = ids.len().saturating_sub(by);
    match side {
        Side::Right => ids.truncate(length),
        Side::Left => drop(ids.drain(..ids.len() - length)),
    }
}

/// Tokens with their ids, in both directions.
#[derive(Debug, Default)]
struct Vocabulary {
    ids: ahash::AHashMap<String, u32>,
    tokens: ahash::AHashMap<u32, String>,
}

impl Vocabulary {
    /// Of equal tokens the last one counts.
    fn new(entries: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut vocabulary = Self::default();
        for (token, id) in entries {
            vocabulary.tokens.insert(id, token.clone());
            vocabulary.ids.insert(token, id);
        }
        vocabulary
    }
}

fn text_setting<'a>(init: &'a Init, name: &str, default: &'a str) -> &'a str {
    init.settings.get(name).and_then(Value::as_str).unwrap_or(default)
}

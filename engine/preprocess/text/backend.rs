//! The engine under a tokenizer: the `tokenizers` crate, with truncation and special tokens decided per call.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::processors::PostProcessorWrapper;
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{Decoder as _, DecoderWrapper, InputSequence, ModelWrapper, NormalizerWrapper, PostProcessor, TokenizerImpl};

use super::encode::{Cut, stride_error};
use super::python::{CtcText, Python};
use super::splitter::Splitter;
use super::token_bytes::byte_fallback_byte;
use super::{EncodeOptions, Encoding, Side, SpecialTokens, Text, Truncation};
use crate::{Error, ErrorKind, Result};

/// A tokenizer of the `tokenizers` crate.
pub(crate) type Engine = TokenizerImpl<ModelWrapper, NormalizerWrapper, Splitter, PostProcessorWrapper, DecoderWrapper>;

/// How the texts of tokens make the text of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joining {
    /// Tokens are bytes, of which several may make a character.
    Bytes,
    /// Tokens are text, except that some are single bytes. A run of those is characters, or, if damaged anywhere, none at all.
    ByteFallback,
    /// Tokens are text. Of its neighbours, one needs to know only whether there are any.
    Pieces,
    /// Any token may change the text of any other.
    Whole,
}

pub(crate) enum Backend {
    Fast(Box<Fast>),
    Python(Box<Python>),
}

/// A tokenizer that knows where its tokens lie in the text.
pub(crate) struct Fast {
    /// Without post-processor, truncation and padding: those depend on the call.
    pub(super) engine: Engine,
    post_processor: Option<PostProcessorWrapper>,
    /// CLIP's decoder leaves this at the end of words; it becomes a space.
    word_end: Option<String>,
}

impl Backend {
    pub(crate) fn encode(&self, text: Text<'_>, pair: Option<Text<'_>>, options: &EncodeOptions, cut: Option<&Cut>) -> Result<Encoding> {
        match self {
            Self::Fast(fast) => fast.encode(text, pair, options, cut),
            Self::Python(python) => Ok(python.encode(text, pair, options, cut)),
        }
    }

    pub(crate) fn decode(&self, ids: &[u32], skip_special_tokens: bool, special: &SpecialTokens) -> Result<String> {
        match self {
            Self::Fast(fast) => fast.decode(ids, skip_special_tokens),
            Self::Python(python) => Ok(python.decode(ids, skip_special_tokens, special)),
        }
    }

    pub(crate) fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Fast(fast) => fast.engine.token_to_id(token),
            Self::Python(python) => python.token_to_id(token),
        }
    }

    pub(crate) fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::Fast(fast) => fast.engine.id_to_token(id),
            Self::Python(python) => python.id_to_token(id),
        }
    }

    pub(crate) fn vocab_size(&self, with_added: bool) -> usize {
        match self {
            Self::Fast(fast) => fast.engine.get_vocab_size(with_added),
            Self::Python(python) => python.vocab_size(with_added),
        }
    }

    pub(crate) fn num_special_tokens_to_add(&self, pair: bool) -> usize {
        match self {
            Self::Fast(fast) => fast.added_tokens(pair),
            Self::Python(python) => python.added_tokens(pair),
        }
    }

    pub(crate) fn convert_tokens_to_string(&self, tokens: Vec<String>, special: &SpecialTokens) -> Result<String> {
        match self {
            Self::Python(python) => Ok(python.join(&tokens, special)),
            Self::Fast(fast) => match fast.engine.get_decoder() {
                Some(decoder) => guarded("decoding", || decoder.decode(tokens)),
                None => Ok(tokens.join(" ")),
            },
        }
    }

    pub(crate) fn continuing_subword_prefix(&self) -> Option<&str> {
        match self {
            Self::Python(_) => None,
            Self::Fast(fast) => match fast.engine.get_model() {
                ModelWrapper::WordPiece(model) => Some(&model.continuing_subword_prefix),
                ModelWrapper::BPE(model) => model.continuing_subword_prefix.as_deref(),
                _ => None,
            },
        }
    }

    /// As `tokenizer.json`; `None` for what that format cannot say.
    pub(crate) fn to_json(&self) -> Option<serde_json::Value> {
        let Self::Fast(fast) = self else { return None };
        let mut json = serde_json::to_value(&fast.engine).ok()?;
        json["post_processor"] = serde_json::to_value(&fast.post_processor).ok()?;
        Some(json)
    }

    pub(crate) fn is_bpe(&self) -> bool {
        match self {
            Self::Fast(fast) => matches!(fast.engine.get_model(), ModelWrapper::BPE(_)),
            Self::Python(_) => false,
        }
    }

    pub(crate) fn joining(&self) -> Joining {
        match self {
            Self::Fast(fast) if fast.word_end.is_some() => Joining::Whole,
            Self::Fast(fast) => joining(fast.engine.get_decoder()),
            Self::Python(python) => python.joining(),
        }
    }

    /// The token with an id, as far as decoding shows it.
    pub(crate) fn shown_token(&self, id: u32, skip_special_tokens: bool) -> Option<String> {
        match self {
            Self::Fast(fast) => fast.shown_token(id, skip_special_tokens),
            Self::Python(python) => python.shown_token(id, skip_special_tokens),
        }
    }

    /// Whether the text of a token is open until the next one comes.
    pub(crate) fn is_open(&self, token: &str) -> bool {
        (self.joining() == Joining::ByteFallback && byte_fallback_byte(token).is_some())
            || matches!(self, Self::Python(python) if python.is_open(token))
    }

    pub(crate) fn decode_ctc(&self, ids: &[u32], skip_special_tokens: bool, special: &SpecialTokens) -> Option<CtcText> {
        match self {
            Self::Fast(_) => None,
            Self::Python(python) => python.decode_ctc(ids, skip_special_tokens, special),
        }
    }
}

impl Fast {
    /// Takes over an engine; whatever it says about truncation and padding is dropped.
    pub(crate) fn new(mut engine: Engine, word_end: Option<String>) -> Result<Self> {
        let post_processor = engine.get_post_processor().cloned();
        engine.with_post_processor(None::<PostProcessorWrapper>);
        engine.with_truncation(None).map_err(Error::config)?;
        engine.with_padding(None);
        Ok(Self { engine, post_processor, word_end })
    }

    fn encode(&self, text: Text<'_>, pair: Option<Text<'_>>, options: &EncodeOptions, cut: Option<&Cut>) -> Result<Encoding> {
        let mut first = self.tokenize(text)?;
        let mut second = pair.map(|pair| self.tokenize(pair)).transpose()?;
        if let Some(second) = &mut second {
            second.set_type_ids(vec![1; second.len()]);
        }
        if let Some(cut) = cut {
            self.truncate(&mut first, second.as_mut(), options, cut)?;
        }
        if !options.return_overflowing {
            first.take_overflowing();
            second.as_mut().map(tokenizers::Encoding::take_overflowing);
        }
        let encoding = guarded("post-processing", || self.post_process(first, second, options.add_special_tokens))?;
        Ok(Encoding { overflowing: encoding.get_overflowing().iter().map(Encoding::from).collect(), ..Encoding::from(&encoding) })
    }

    /// The tokens of one text, with nothing added.
    fn tokenize(&self, text: Text<'_>) -> Result<tokenizers::Encoding> {
        let sequence: InputSequence<'_> = match text {
            Text::Str(text) => text.into(),
            Text::Words(words) => words.into(),
        };
        guarded("tokenization", || self.engine.encode_char_offsets(sequence, false))
    }

    fn truncate(
        &self,
        first: &mut tokenizers::Encoding,
        second: Option<&mut tokenizers::Encoding>,
        options: &EncodeOptions,
        cut: &Cut,
    ) -> Result<()> {
        if let Some(room) = cut.max_length.checked_sub(self.added_tokens(false)).filter(|room| *room < cut.stride) {
            return Err(stride_error(cut.stride, room));
        }
        let added = if options.add_special_tokens { self.added_tokens(second.is_some()) } else { 0 };
        // A length too short for the added tokens alone truncates nothing, as in the reference.
        let Some(room) = cut.max_length.checked_sub(added) else { return Ok(()) };
        let (first_length, second_length) = lengths(first.len(), second.as_ref().map(|second| second.len()), room, cut.truncation)?;
        truncate_to(first, first_length, cut)?;
        second.map_or(Ok(()), |second| truncate_to(second, second_length, cut))
    }

    fn post_process(
        &self,
        first: tokenizers::Encoding,
        second: Option<tokenizers::Encoding>,
        add_special_tokens: bool,
    ) -> tokenizers::Result<tokenizers::Encoding> {
        match &self.post_processor {
            Some(processor) => processor.process(first, second, add_special_tokens),
            None => {
                let encodings = std::iter::once(first).chain(second).collect();
                let merged = <dyn PostProcessor>::default_process(encodings, add_special_tokens)?;
                Ok(tokenizers::Encoding::merge(merged, false))
            }
        }
    }

    fn added_tokens(&self, pair: bool) -> usize {
        self.post_processor.as_ref().map_or(0, |processor| processor.added_tokens(pair))
    }

    fn shown_token(&self, id: u32, skip_special_tokens: bool) -> Option<String> {
        let token = self.engine.id_to_token(id);
        token.filter(|token| !skip_special_tokens || !self.engine.get_added_vocabulary().is_special_token(token))
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        // The decoder for marked word ends counts back from the last token without looking whether there is one.
        let shows = |id: &u32| self.shown_token(*id, skip_special_tokens).is_some();
        if matches!(self.engine.get_decoder(), Some(DecoderWrapper::BPE(_))) && !ids.iter().any(shows) {
            return Ok(String::new());
        }
        let text = guarded("decoding", || self.engine.decode(ids, skip_special_tokens))?;
        Ok(match &self.word_end {
            Some(word_end) => text.replace(word_end, " ").trim().to_owned(),
            None => text,
        })
    }
}

fn joining(decoder: Option<&DecoderWrapper>) -> Joining {
    let steps = match decoder {
        Some(DecoderWrapper::Sequence(sequence)) => sequence.get_decoders(),
        decoder => decoder.map(std::slice::from_ref).unwrap_or_default(),
    };
    if let [DecoderWrapper::ByteLevel(_)] = steps {
        return Joining::Bytes;
    }
    // Once the tokens are one text, only a change at its beginning leaves what follows alone.
    let fused = steps.iter().position(|step| matches!(step, DecoderWrapper::Fuse(_))).unwrap_or(steps.len());
    let is_local = |(at, step): (usize, &DecoderWrapper)| match step {
        DecoderWrapper::CTC(_) | DecoderWrapper::ByteLevel(_) | DecoderWrapper::Sequence(_) => false,
        DecoderWrapper::Fuse(_) => true,
        DecoderWrapper::Strip(strip) => at < fused || strip.stop == 0,
        _ => at < fused,
    };
    if !steps.iter().enumerate().all(is_local) {
        Joining::Whole
    } else if steps.iter().any(|step| matches!(step, DecoderWrapper::ByteFallback(_))) {
        Joining::ByteFallback
    } else {
        Joining::Pieces
    }
}

/// How many tokens each text keeps when both together have room for so many.
pub(crate) fn lengths(first: usize, second: Option<usize>, room: usize, truncation: Truncation) -> Result<(usize, usize)> {
    let total = first + second.unwrap_or(0);
    if total <= room {
        return Ok((first, second.unwrap_or(0)));
    }
    if room == 0 {
        return Ok((0, 0));
    }
    let excess = total - room;
    let cut = |length: usize, name: &str| {
        length.checked_sub(excess).filter(|rest| *rest > 0).ok_or_else(|| {
            Error::request(
                "max_length",
                format!("{excess} tokens are too many, but the {name} text, the only one to be truncated, has just {length}"),
            )
        })
    };
    match (truncation, second) {
        (Truncation::DoNotTruncate, _) => Ok((first, second.unwrap_or(0))),
        (Truncation::LongestFirst, None) => Ok((room, 0)),
        (Truncation::LongestFirst, Some(second)) => Ok(longest_first(first, second, room)),
        (Truncation::OnlyFirst, _) => Ok((cut(first, "first")?, second.unwrap_or(0))),
        (Truncation::OnlySecond, Some(second)) => Ok((first, cut(second, "second")?)),
        (Truncation::OnlySecond, None) => Err(Error::request("truncation", "only_second needs a second text")),
    }
}

/// The shorter text keeps all it can; beyond that both keep half of the room.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    let short = first.min(second);
    let long = if short > room { short } else { short.max(room - short) };
    let (short, long) = if short + long > room { (room / 2, room / 2 + room % 2) } else { (short, long) };
    if first > second { (long, short) } else { (short, long) }
}

/// How many tokens each text of a pair loses, as the classes written in Python count it.
pub(crate) fn longest_first_python(first: usize, second: usize, excess: usize) -> (usize, usize) {
    let level = first.abs_diff(second).min(excess);
    let rest = excess - level;
    if first > second { (level + rest / 2, rest - rest / 2) } else { (rest / 2, level + rest - rest / 2) }
}

fn truncate_to(encoding: &mut tokenizers::Encoding, length: usize, cut: &Cut) -> Result<()> {
    if length > 0 && length < encoding.len() && cut.stride >= length {
        return Err(stride_error(cut.stride, length));
    }
    let direction = match cut.side {
        Side::Left => TruncationDirection::Left,
        Side::Right => TruncationDirection::Right,
    };
    encoding.truncate(length, cut.stride, direction);
    Ok(())
}

/// Runs a part of the `tokenizers` crate, which panics on some damaged vocabularies, and makes an error of a failure.
pub(crate) fn guarded<T>(what: &str, work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Checkpoint, format!("{what} failed: {error}"))),
        Err(_) => Err(Error::new(ErrorKind::Checkpoint, format!("{what} failed: the tokenizer's files are inconsistent"))),
    }
}

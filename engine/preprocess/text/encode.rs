//! From texts to encodings.

use formers_converters::parallel;
use rayon::prelude::*;

use super::{Encoding, Padding, Side, Tokenizer};
use crate::{Error, Result};

/// Below this many bytes of text, starting threads costs more than it saves.
const PARALLEL_BYTES: usize = 16 * 1024;

/// A text, whole or already split into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text<'a> {
    /// A whole text.
    Str(&'a str),
    /// Words, in order; offsets are inside each word.
    Words(&'a [String]),
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self::Str(text)
    }
}

impl<'a> From<&'a [String]> for Text<'a> {
    fn from(words: &'a [String]) -> Self {
        Self::Words(words)
    }
}

impl Text<'_> {
    /// How it begins, in quotes.
    fn beginning(&self) -> String {
        const MOST: usize = 40;
        let start = |text: &str| text.chars().take(MOST).collect::<String>();
        let text = match self {
            Self::Str(text) => start(text),
            Self::Words(words) => start(&words.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(" ")),
        };
        format!("{text:?}{}", if self.bytes() > text.len() { " …" } else { "" })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::Words(words) => words.iter().map(String::len).sum(),
        }
    }
}

/// What gives way when an input has more tokens than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncation {
    /// Nothing: every token is kept.
    #[default]
    DoNotTruncate,
    /// The longer text of a pair, token by token, or the only text.
    LongestFirst,
    /// The first text.
    OnlyFirst,
    /// The second text.
    OnlySecond,
}

/// How far an input is padded, with the windows that overflowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingStrategy {
    /// Not at all.
    #[default]
    DoNotPad,
    /// Every window to the longest.
    Longest,
    /// To the most tokens that are allowed; not at all where nobody knows how many.
    MaxLength,
}

/// How to encode; `Default` is Python's `tokenizer(text)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Add the tokens that the model wants around a text.
    pub add_special_tokens: bool,
    /// What gives way when the input is too long.
    pub truncation: Truncation,
    /// The most tokens, added ones included; `None` takes the tokenizer's `model_max_length`.
    pub max_length: Option<usize>,
    /// How many tokens of a window the next one repeats.
    pub stride: usize,
    /// Give what was cut off as further windows.
    pub return_overflowing: bool,
    /// The side to cut at; `None` takes the tokenizer's own.
    pub truncation_side: Option<Side>,
    /// How far the input is padded.
    pub padding: PaddingStrategy,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            add_special_tokens: true,
            truncation: Truncation::DoNotTruncate,
            max_length: None,
            stride: 0,
            return_overflowing: false,
            truncation_side: None,
            padding: PaddingStrategy::DoNotPad,
        }
    }
}

impl EncodeOptions {
    /// Truncates to the tokenizer's own length, as `tokenizer(text, truncation=True)`.
    pub fn truncated() -> Self {
        Self { truncation: Truncation::LongestFirst, ..Self::default() }
    }

    /// Truncates to a length.
    pub fn truncated_to(max_length: usize) -> Self {
        Self { max_length: Some(max_length), ..Self::truncated() }
    }

    /// Leaves out the tokens that the model wants around a text.
    #[must_use]
    pub fn without_special_tokens(mut self) -> Self {
        self.add_special_tokens = false;
        self
    }
}

/// Truncation with everything decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) truncation: Truncation,
    pub(crate) max_length: usize,
    pub(crate) stride: usize,
    pub(crate) side: Side,
}

impl Tokenizer {
    /// Encodes a text, or a pair of texts.
    ///
    /// Fails when the truncation cannot be done: a stride as large as the room, or a single text to be cut in its second.
    pub fn encode<'a>(&self, text: impl Into<Text<'a>>, pair: Option<Text<'a>>, options: &EncodeOptions) -> Result<Encoding> {
        let (text, cut) = (text.into(), self.cut(options));
        let encoding = self.backend.encode(text, pair, options, cut.as_ref())?;
        self.tell_cut(text, pair, options, cut.as_ref(), &encoding);
        self.padded(encoding, options)
    }

    /// Python cuts in silence, and so does this, unless somebody listens.
    fn tell_cut(&self, text: Text<'_>, pair: Option<Text<'_>>, options: &EncodeOptions, cut: Option<&Cut>, encoding: &Encoding) {
        let full = cut.filter(|cut| encoding.len() >= cut.max_length && !options.return_overflowing);
        // To choose one token of a word is no loss of text.
        if full.is_none_or(|cut| cut.max_length <= 1) || !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        let whole = self.backend.encode(text, pair, options, None).map_or(0, |whole| whole.len());
        if whole > encoding.len() {
            tracing::info!("{} of {whole} tokens are read, the others were cut off: {}", encoding.len(), text.beginning());
        }
    }

    /// Encodes many texts, or pairs of texts, on all cores when there is much to do. An error names the input.
    pub fn encode_batch(&self, inputs: &[(Text<'_>, Option<Text<'_>>)], options: &EncodeOptions) -> Result<Vec<Encoding>> {
        let cut = self.cut(options);
        let encode = |(index, (text, pair)): (usize, &(Text<'_>, Option<Text<'_>>))| {
            let encoding = self.backend.encode(*text, *pair, options, cut.as_ref()).and_then(|encoding| {
                self.tell_cut(*text, *pair, options, cut.as_ref(), &encoding);
                self.padded(encoding, options)
            });
            encoding.map_err(|error| error.for_input(index))
        };
        let bytes: usize = inputs.iter().map(|(text, pair)| text.bytes() + pair.map_or(0, |pair| pair.bytes())).sum();
        if inputs.len() < 2 || bytes < PARALLEL_BYTES {
            inputs.iter().enumerate().map(encode).collect()
        } else {
            parallel(|| inputs.par_iter().enumerate().map(encode).collect())
        }
    }

    /// The encoding of tokens that stand already, nothing added, cut and padded as a text's would be.
    pub(super) fn encoding_of(&self, mut ids: Vec<u32>, options: &EncodeOptions) -> Result<Encoding> {
        if let Some(cut) = self.cut(options).filter(|cut| cut.max_length < ids.len()) {
            match cut.side {
                Side::Right => ids.truncate(cut.max_length),
                Side::Left => drop(ids.drain(..ids.len() - cut.max_length)),
            }
        }
        let count = ids.len();
        let encoding = Encoding {
            type_ids: vec![0; count],
            attention_mask: vec![1; count],
            special_tokens_mask: vec![0; count],
            tokens: ids.iter().map(|id| self.id_to_token(*id).unwrap_or_default()).collect(),
            offsets: vec![(0, 0); count],
            word_ids: vec![None; count],
            sequence_ids: vec![Some(0); count],
            overflowing: Vec::new(),
            ids,
        };
        self.padded(encoding, options)
    }

    /// The length, or where that is less the one that the model is for.
    fn within(&self, length: Option<usize>) -> Option<usize> {
        [length, self.settings.fixed_length].into_iter().flatten().min()
    }

    fn padded(&self, encoding: Encoding, options: &EncodeOptions) -> Result<Encoding> {
        let max_length = match options.padding {
            PaddingStrategy::DoNotPad => return Ok(encoding),
            PaddingStrategy::Longest => None,
            PaddingStrategy::MaxLength => match self.within(options.max_length.or(self.settings.model_max_length)) {
                None => return Ok(encoding),
                length => length,
            },
        };
        let mut windows = encoding.into_windows();
        self.pad(&mut windows, &Padding { max_length, ..Padding::default() })?;
        let mut windows = windows.into_iter();
        let first = windows.next().unwrap_or_default();
        Ok(Encoding { overflowing: windows.collect(), ..first })
    }

    /// The truncation to do; none when neither the request nor the tokenizer knows a length.
    fn cut(&self, options: &EncodeOptions) -> Option<Cut> {
        let (truncation, max_length) = match options.truncation {
            // Where the model takes no other length, what is longer is cut, asked for or not.
            Truncation::DoNotTruncate => (Truncation::LongestFirst, self.settings.fixed_length?),
            asked_for => (asked_for, self.within(options.max_length.or(self.settings.model_max_length))?),
        };
        let side = options.truncation_side.unwrap_or(self.settings.truncation_side);
        Some(Cut { truncation, max_length, stride: options.stride, side })
    }
}

/// The error for a stride that leaves no room to move forward.
pub(crate) fn stride_error(stride: usize, room: usize) -> Error {
    Error::request(
        "stride",
        format!("{stride} is too large: a window has room for {room} tokens of the text; choose a smaller stride or a larger max_length"),
    )
}

//! The tokenizer classes of the reference: what each makes of a vocabulary.
//!
//! Most classes put their own normalizer, pre-tokenizer and decoder around the vocabulary, also when `tokenizer.json` says
//! otherwise; of that file they take the vocabulary, and the post-processor where they have none of their own.

mod bpe;
mod byte_level;
pub(super) mod languages;
mod unigram;
pub(crate) mod version4;
mod wordpiece;

use std::collections::HashSet;

use serde_json::{Value, json};

use super::init::{Init, Special, Token};
use super::vocabulary::{Kind, Merge, ModelJson, Vocab};
use super::{Side, python};
use crate::Result;

/// A tokenizer class.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) files: VocabFiles,
    /// The special tokens it has when the checkpoint does not say.
    pub(crate) special: &'static [(&'static str, Option<&'static str>)],
    /// A mask token given as text takes the space before it along.
    pub(crate) mask_lstrip: bool,
    pub(crate) model_input_names: &'static [&'static str],
    pub(crate) padding_side: Side,
    /// What it takes a SentencePiece model for; without, what the model says.
    pub(crate) kind: Option<Kind>,
    /// How it orders the pieces of a SentencePiece model.
    pub(crate) reorder: Option<fn(&Init, Vocab) -> Vocab>,
    /// Takes everything but the tokens around a text from `tokenizer.json`, where there is one.
    pub(crate) verbatim: bool,
    /// How it is read, for classes that the reference wrote in Python.
    pub(crate) python: Option<python::Read>,
    /// How it builds its parts; without, `tokenizer.json` is taken as it is.
    pub(crate) build: Option<fn(&mut Init, Source) -> Result<Recipe>>,
}

/// The files a class reads when there is no `tokenizer.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VocabFiles {
    None,
    VocabTxt,
    VocabJsonMerges,
    /// A SentencePiece model of this name.
    SentencePiece(&'static str),
}

/// A vocabulary and what came with it.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) vocab: Vocab,
    pub(crate) merges: Option<Vec<Merge>>,
    /// SentencePiece's normalization table, in base64.
    pub(crate) charsmap: Option<String>,
    pub(crate) unk_id: Option<usize>,
    /// Whether the vocabulary comes from `tokenizer.json`.
    pub(crate) from_json: bool,
}

/// The parts of a tokenizer, each as `tokenizer.json` would say it.
#[derive(Debug, Default)]
pub(crate) struct Recipe {
    pub(crate) model: ModelJson,
    pub(crate) normalizer: Value,
    pub(crate) pre_tokenizer: Value,
    pub(crate) decoder: Value,
    pub(crate) post: Post,
    /// How the class registers its special tokens once more.
    pub(crate) again: Again,
    /// The words to keep whole, where the text is cut into Chinese words.
    pub(crate) chinese_words: Option<HashSet<String>>,
    /// What CLIP's decoder leaves at the end of words.
    pub(crate) word_end: Option<&'static str>,
}

/// Special tokens registered a second time, which changes how they are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Again {
    #[default]
    No,
    /// As special tokens with the flags that they have.
    Flagged,
    /// As special tokens without flags.
    Plain,
}

/// Where the tokens around a text come from.
#[derive(Debug, Default)]
pub(crate) enum Post {
    /// From `tokenizer.json`, else as `add_bos_token` and `add_eos_token` say.
    #[default]
    File,
    /// As `add_bos_token` and `add_eos_token` say.
    BosEos,
    /// A template, unless `tokenizer.json` has one or `add_bos_token` and `add_eos_token` are set.
    Early { single: Vec<String>, pair: Vec<String> },
    /// A template, unless neither `tokenizer.json` nor the settings say anything: there the reference forgets it again.
    Forgotten { single: Vec<String>, pair: Vec<String> },
    /// A template, such as `[CLS]:0 $A:0 [SEP]:0`.
    Template { single: Vec<String>, pair: Vec<String> },
    /// RoBERTa's, with two separators between texts.
    Roberta { sep: String, cls: String, trim_offsets: bool, add_prefix_space: bool },
    /// Any other, as `tokenizer.json` would say it.
    Json(Value),
}

const INPUTS: &[&str] = &["input_ids", "attention_mask"];
const INPUTS_THEN_TYPES: &[&str] = &["input_ids", "attention_mask", "token_type_ids"];
const INPUTS_WITH_TYPES: &[&str] = &["input_ids", "token_type_ids", "attention_mask"];

/// fairseq's special tokens, and those with a mask.
const FAIRSEQ_SPECIAL: &[(&str, Option<&str>)] = FAIRSEQ_SPECIAL_MASK.split_at(6).0;
const FAIRSEQ_SPECIAL_MASK: &[(&str, Option<&str>)] = &[
    ("bos_token", Some("<s>")),
    ("eos_token", Some("</s>")),
    ("sep_token", Some("</s>")),
    ("cls_token", Some("<s>")),
    ("unk_token", Some("<unk>")),
    ("pad_token", Some("<pad>")),
    ("mask_token", Some("<mask>")),
];

pub(super) const DEFAULT: Class = Class {
    name: "",
    files: VocabFiles::None,
    special: &[],
    mask_lstrip: false,
    model_input_names: INPUTS,
    padding_side: Side::Right,
    kind: None,
    reorder: None,
    verbatim: false,
    python: None,
    build: None,
};

const GENERIC: Class = Class { name: super::class::GENERIC, files: VocabFiles::SentencePiece("tokenizer.model"), ..DEFAULT };

/// The class of a name.
pub(crate) fn find(name: &str) -> Option<&'static Class> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    CLASSES.iter().copied().find(|class| class.name == name)
}

/// The class that takes `tokenizer.json` as it is.
pub(crate) fn generic() -> &'static Class {
    &GENERIC
}

/// Names for the same class.
#[rustfmt::skip]
const ALIASES: &[(&str, &str)] = &[
    ("BartTokenizer", "RobertaTokenizer"),
    ("DPRContextEncoderTokenizer", "BertTokenizer"),
    ("DPRQuestionEncoderTokenizer", "BertTokenizer"),
    ("DPRReaderTokenizer", "BertTokenizer"),
    ("ElectraTokenizer", "BertTokenizer"),
    ("LEDTokenizer", "RobertaTokenizer"),
    ("LayoutLMTokenizer", "BertTokenizer"),
    ("LongformerTokenizer", "RobertaTokenizer"),
    ("LxmertTokenizer", "BertTokenizer"),
    ("MobileBertTokenizer", "BertTokenizer"),
    ("MvpTokenizer", "RobertaTokenizer"),
    ("SqueezeBertTokenizer", "BertTokenizer"),
];

const CLASSES: &[&Class] = &[
    &GENERIC,
    &bpe::CODE_LLAMA,
    &bpe::GEMMA,
    &bpe::HERBERT,
    &bpe::LLAMA,
    &bpe::NLLB,
    &bpe::OPENAI_GPT,
    &bpe::REFORMER,
    &bpe::SEAMLESS_M4T,
    &bpe::SIGLIP2,
    &byte_level::BLENDERBOT,
    &byte_level::CLIP,
    &byte_level::CODEGEN,
    &byte_level::COHERE,
    &byte_level::DEBERTA,
    &byte_level::GPT2,
    &byte_level::GPT_NEOX,
    &byte_level::QWEN2,
    &byte_level::QWEN3_5,
    &byte_level::ROBERTA,
    &byte_level::WHISPER,
    &python::BLENDERBOT_SMALL,
    &python::ESM,
    &python::M2M_100,
    &python::MARIAN,
    &python::PROPHETNET,
    &python::WAV2VEC2_CTC,
    &unigram::ALBERT,
    &unigram::BARTHEZ,
    &unigram::BIG_BIRD,
    &unigram::CAMEMBERT,
    &unigram::DEBERTA_V2,
    &unigram::FNET,
    &unigram::MBART,
    &unigram::MBART50,
    &unigram::PEGASUS,
    &unigram::REMBERT,
    &unigram::T5,
    &unigram::XGLM,
    &unigram::XLM_ROBERTA,
    &unigram::XLNET,
    &wordpiece::BERT,
    &wordpiece::CONVBERT,
    &wordpiece::DISTILBERT,
    &wordpiece::FUNNEL,
    &wordpiece::MPNET,
    &wordpiece::ROFORMER,
    &wordpiece::SPLINTER,
];

impl Class {
    /// Fills in the special tokens that the checkpoint does not name.
    pub(crate) fn set_defaults(&self, init: &mut Init) {
        for (name, token) in self.special {
            match token {
                Some(token) => init.set_default(name, Special::Text((*token).to_owned())),
                None if !init.special.iter().any(|(named, _)| named == name) => init.set(name, None),
                None => {}
            }
        }
        if self.mask_lstrip
            && let Some(Special::Text(mask)) = init.get("mask_token")
        {
            let mask = Token::lstrip(mask.as_str());
            init.set("mask_token", Some(Special::Token(mask)));
        }
    }
}

/// A template from its two forms, in which names such as `{cls_token}` stand for the special tokens.
fn template(init: &Init, single: &str, pair: &str) -> Post {
    let fill = |form: &str| {
        form.split(' ')
            .map(|piece| match piece.strip_prefix('{').and_then(|piece| piece.split_once('}')) {
                Some((name, rest)) => format!("{}{rest}", init.content(name)),
                None => piece.to_owned(),
            })
            .collect()
    };
    Post::Template { single: fill(single), pair: fill(pair) }
}

fn sequence(normalizers: Vec<Value>) -> Value {
    json!({"type": "Sequence", "normalizers": normalizers})
}

fn replace(pattern: &str, content: &str) -> Value {
    json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
}

fn replace_regex(pattern: &str, content: &str) -> Value {
    json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content})
}

fn strip(left: bool, right: bool) -> Value {
    json!({"type": "Strip", "strip_left": left, "strip_right": right})
}

fn precompiled(charsmap: &str) -> Value {
    json!({"type": "Precompiled", "precompiled_charsmap": charsmap})
}

fn metaspace(prepend_scheme: &str, split: bool) -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": prepend_scheme, "split": split})
}

fn prepend_scheme(add_prefix_space: bool) -> &'static str {
    if add_prefix_space { "always" } else { "never" }
}

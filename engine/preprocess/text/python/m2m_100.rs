//! M2M100: SentencePiece, a vocabulary of its own, and a token for each language behind it.

use super::marian::join;
use super::processor::Processor;
use super::{Parts, Vocabulary, Words, text_setting};
use crate::preprocess::text::backend::Joining;
use crate::preprocess::text::classes::{Class, DEFAULT, languages};
use crate::preprocess::text::init::Init;
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::sentencepiece::ModelProto;
use crate::preprocess::text::vocabulary::read_vocab_json;
use crate::preprocess::text::{Files, SpecialTokens};
use crate::{Error, Result};

pub(in super::super) const M2M_100: Class = Class {
    name: "M2M100Tokenizer",
    special: &[
        ("bos_token", Some("<s>")),
        ("eos_token", Some("</s>")),
        ("sep_token", Some("</s>")),
        ("pad_token", Some("<pad>")),
        ("unk_token", Some("<unk>")),
    ],
    python: Some(read),
    ..DEFAULT
};

struct M2m100 {
    processor: Processor,
    vocabulary: Vocabulary,
    /// With the ids behind the vocabulary's.
    languages: Vocabulary,
}

fn read(files: &dyn Files, init: &mut Init) -> Result<Parts> {
    const PIECES: &str = "sentencepiece.bpe.model";
    let file = |name: &'static str| files.read(name)?.ok_or_else(|| missing(&M2M_100, &[name]));
    let vocabulary = Vocabulary::new(read_vocab_json("vocab.json", &file("vocab.json")?)?.into_entries());
    let codes = match text_setting(init, "language_codes", "m2m100") {
        "m2m100" => languages::M2M100,
        "wmt21" => languages::WMT21,
        other => return Err(Error::config(format!("tokenizer_config.json: language_codes is {other:?}; it must be m2m100 or wmt21"))),
    };
    let language = text_setting(init, "src_lang", "en");
    if !codes.contains(&language) {
        return Err(Error::config(format!("tokenizer_config.json: src_lang {language:?} is none of the model's languages")));
    }
    let template = [format!("__{language}__ $A {{eos_token}}"), format!("__{language}__ $A $B {{eos_token}}")];
    let first = u32::try_from(vocabulary.ids.len()).unwrap_or(u32::MAX);
    let languages = Vocabulary::new(codes.iter().map(|code| format!("__{code}__")).zip(first..));
    let processor = Processor::new(&ModelProto::parse(PIECES, &file(PIECES)?)?)?;
    Ok(Parts { template, ..Parts::new(M2m100 { processor, vocabulary, languages }) })
}

impl Words for M2m100 {
    fn tokenize(&self, text: &str) -> Vec<String> {
        self.processor.encode(text)
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.languages.ids.get(token).or_else(|| self.vocabulary.ids.get(token)).copied()
    }

    /// Languages lie behind the vocabulary.
    fn own_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.languages.tokens.get(&id).or_else(|| self.vocabulary.tokens.get(&id)).cloned()
    }

    fn size(&self) -> usize {
        self.vocabulary.ids.len()
    }

    fn joining(&self) -> Joining {
        Joining::ByteFallback
    }

    fn join(&self, tokens: &[String], special: &SpecialTokens) -> String {
        join(&self.processor, tokens, special, "").trim().to_owned()
    }
}

//! Marian: SentencePiece for each language, and one vocabulary of its own for both.

use super::processor::Processor;
use super::{Parts, Vocabulary, Words};
use crate::Result;
use crate::preprocess::text::backend::Joining;
use crate::preprocess::text::classes::{Class, DEFAULT};
use crate::preprocess::text::init::Init;
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::sentencepiece::ModelProto;
use crate::preprocess::text::vocabulary::{damaged, read_vocab_json};
use crate::preprocess::text::{Files, SpecialTokens};

pub(in super::super) const MARIAN: Class = Class {
    name: "MarianTokenizer",
    special: &[("unk_token", Some("<unk>")), ("eos_token", Some("</s>")), ("pad_token", Some("<pad>"))],
    python: Some(read),
    ..DEFAULT
};

struct Marian {
    source: Processor,
    /// Reads what the model wrote.
    output: Processor,
    vocabulary: Vocabulary,
    /// In the order of SentencePiece's ids.
    pieces: Vec<String>,
    /// Apart from the source's where the checkpoint keeps two.
    output_vocabulary: Option<Vocabulary>,
}

fn read(files: &dyn Files, init: &mut Init) -> Result<Parts> {
    let file = |name: &'static str| files.read(name)?.ok_or_else(|| missing(&MARIAN, &[name]));
    let separate = init.flag("separate_vocabs", false);
    let vocabulary = |name| file(name).and_then(|bytes| read_vocab_json(name, &bytes)).map(|vocab| Vocabulary::new(vocab.into_entries()));
    let source = ModelProto::parse("source.spm", &file("source.spm")?)?;
    let target = ModelProto::parse("target.spm", &file("target.spm")?)?;
    let words = Marian {
        source: Processor::new(&source)?,
        output: Processor::new(if separate { &target } else { &source })?,
        pieces: target.pieces.iter().map(|piece| piece.text().to_owned()).collect(),
        vocabulary: vocabulary("vocab.json")?,
        output_vocabulary: if separate { Some(vocabulary("target_vocab.json")?) } else { None },
    };
    let unk_token = init.content("unk_token");
    if words.token_to_id(unk_token).is_none() {
        return Err(damaged("vocab.json", format!("the vocabulary lacks {unk_token}")));
    }
    init.settings.entry("model_max_length").or_insert_with(|| 512.into());
    let template = ["$A {eos_token}", "$A $B {eos_token}"].map(str::to_owned);
    Ok(Parts { template, marks_special_tokens: true, ..Parts::new(words) })
}

impl Words for Marian {
    /// A language in `>>` and `<<` at the beginning is a token.
    fn tokenize(&self, text: &str) -> Vec<String> {
        let end = text.find("<<").filter(|_| text.starts_with(">>")).map_or(0, |end| end + 2);
        let (language, text) = text.split_at(end);
        let language = Some(language.to_owned()).filter(|language| !language.is_empty());
        language.into_iter().chain(self.source.encode(text)).collect()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        let known = self.output_vocabulary.as_ref().unwrap_or(&self.vocabulary).tokens.get(&id).cloned();
        // What the vocabulary lacks is taken for a piece.
        known.or_else(|| self.pieces.get(usize::try_from(id).ok()?).cloned())
    }

    fn size(&self) -> usize {
        self.vocabulary.ids.len()
    }

    fn joining(&self) -> Joining {
        Joining::ByteFallback
    }

    fn join(&self, tokens: &[String], special: &SpecialTokens) -> String {
        join(&self.output, tokens, special, " ").replace('▁', " ").trim().to_owned()
    }
}

/// The text of pieces, with special tokens as they are.
pub(super) fn join(processor: &Processor, tokens: &[String], special: &SpecialTokens, behind_special: &str) -> String {
    let special = special.all();
    let mut text = String::new();
    for run in tokens.split_inclusive(|token| special.contains(&token.as_str())) {
        match run.split_last() {
            Some((last, pieces)) if special.contains(&last.as_str()) => {
                text.push_str(&processor.decode(pieces));
                text.push_str(last);
                text.push_str(behind_special);
            }
            _ => text.push_str(&processor.decode(run)),
        }
    }
    text
}

//! ESM: proteins, a token for each amino acid.

use super::{Parts, Vocabulary, Words};
use crate::Result;
use crate::preprocess::text::classes::{Class, DEFAULT};
use crate::preprocess::text::init::Init;
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::vocabulary::utf8;
use crate::preprocess::text::{Files, SpecialTokens};

pub(in super::super) const ESM: Class = Class {
    name: "EsmTokenizer",
    special: &[
        ("unk_token", Some("<unk>")),
        ("cls_token", Some("<cls>")),
        ("pad_token", Some("<pad>")),
        ("mask_token", Some("<mask>")),
        ("eos_token", Some("<eos>")),
    ],
    python: Some(read),
    ..DEFAULT
};

struct Esm(Vocabulary);

fn read(files: &dyn Files, _: &mut Init) -> Result<Parts> {
    let bytes = files.read("vocab.txt")?.ok_or_else(|| missing(&ESM, &["vocab.txt"]))?;
    let tokens: Vec<String> = utf8("vocab.txt", &bytes)?.lines().map(|line| line.trim().to_owned()).collect();
    let vocabulary = Vocabulary::new(tokens.iter().cloned().zip(0..));
    let template = ["{cls_token} $A {eos_token}", "{cls_token} $A {eos_token} $B {eos_token}"].map(str::to_owned);
    Ok(Parts { template, unsplit: tokens, ..Parts::new(Esm(vocabulary)) })
}

impl Words for Esm {
    fn tokenize(&self, text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.tokens.get(&id).cloned()
    }

    fn size(&self) -> usize {
        self.0.tokens.len()
    }

    fn join(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.join(" ")
    }
}

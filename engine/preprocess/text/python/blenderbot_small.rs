//! Blenderbot small: merges over characters, with `@@` where a word goes on.

use std::collections::HashMap;

use super::{Parts, Vocabulary, Words};
use crate::Result;
use crate::preprocess::text::classes::{Class, DEFAULT};
use crate::preprocess::text::init::Init;
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::vocabulary::{read_vocab_json, utf8};
use crate::preprocess::text::{Files, SpecialTokens};

pub(in super::super) const BLENDERBOT_SMALL: Class = Class {
    name: "BlenderbotSmallTokenizer",
    special: &[
        ("bos_token", Some("__start__")),
        ("eos_token", Some("__end__")),
        ("unk_token", Some("__unk__")),
        ("pad_token", Some("__null__")),
    ],
    python: Some(read),
    ..DEFAULT
};

const WORD_END: &str = "</w>";

struct BlenderbotSmall {
    vocabulary: Vocabulary,
    ranks: HashMap<(String, String), usize>,
}

fn read(files: &dyn Files, _: &mut Init) -> Result<Parts> {
    let file = |name: &'static str| files.read(name)?.ok_or_else(|| missing(&BLENDERBOT_SMALL, &["vocab.json with merges.txt"]));
    let vocabulary = Vocabulary::new(read_vocab_json("vocab.json", &file("vocab.json")?)?.into_entries());
    let bytes = file("merges.txt")?;
    // The first line names the version; what follows the last line break does not count.
    let lines: Vec<&str> = utf8("merges.txt", &bytes)?.split('\n').collect();
    let merges = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    let ranks = merges.iter().zip(0..).filter_map(|(line, rank)| {
        let mut parts = line.split_whitespace().map(str::to_owned);
        Some(((parts.next()?, parts.next()?), rank))
    });
    Ok(Parts::new(BlenderbotSmall { vocabulary, ranks: ranks.collect() }))
}

impl Words for BlenderbotSmall {
    fn tokenize(&self, text: &str) -> Vec<String> {
        words(text).flat_map(|word| self.split(word)).collect()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.ids.get(&token.to_lowercase()).copied()
    }

    fn own_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.vocabulary.tokens.get(&id).cloned()
    }

    fn size(&self) -> usize {
        self.vocabulary.ids.len()
    }

    /// What a token that continues in the next one ends in is dropped only there.
    fn is_open(&self, token: &str) -> bool {
        token.ends_with("@@")
    }

    fn join(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.join(" ").replace("@@ ", "").trim().to_owned()
    }
}

/// Runs without white space, each with the line break behind it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = if rest[end..].starts_with('\n') { end + 1 } else { end };
        let (word, behind) = rest.split_at(end);
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

impl BlenderbotSmall {
    fn split(&self, word: &str) -> Vec<String> {
        let mut spaced = String::new();
        for character in word.chars() {
            match character {
                '.' | ',' | '!' | '?' | '(' | ')' => spaced.extend([' ', character]),
                '\'' => spaced.push_str(" ' "),
                '\n' => spaced.push_str(" __newln__"),
                other => spaced.push(other),
            }
        }
        // A quotation mark alone leaves an empty word behind, which becomes an empty token.
        let mut pieces = Vec::new();
        for part in spaced.split(' ').filter(|part| !part.is_empty()) {
            pieces.extend(self.merge(&part.to_lowercase()));
        }
        if pieces.is_empty() { vec![String::new()] } else { pieces }
    }

    /// Merges the characters of a word, most wanted pairs first.
    fn merge(&self, word: &str) -> Vec<String> {
        let mut parts: Vec<String> = word.chars().map(String::from).collect();
        if parts.len() < 2 {
            return parts;
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(WORD_END);
        }
        while let Some((first, second)) = self.best(&parts) {
            let mut merged = Vec::with_capacity(parts.len());
            let mut rest = parts.into_iter().peekable();
            while let Some(part) = rest.next() {
                let joins = part == first && rest.peek() == Some(&second);
                merged.push(if joins { part + &rest.next().unwrap_or_default() } else { part });
            }
            parts = merged;
        }
        let last = parts.len().saturating_sub(1);
        parts
            .iter()
            .enumerate()
            .map(|(i, part)| if i < last { format!("{part}@@") } else { part.trim_end_matches(WORD_END).to_owned() })
            .collect()
    }

    fn best(&self, parts: &[String]) -> Option<(String, String)> {
        let pairs = parts.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        pairs.filter_map(|pair| self.ranks.get(&pair).map(|rank| (*rank, pair))).min_by_key(|(rank, _)| *rank).map(|(_, pair)| pair)
    }
}

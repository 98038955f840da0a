//! Added tokens of the classes written in Python: found in a text before anything else is done to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Words;
use crate::preprocess::text::SpecialTokens;
use crate::preprocess::text::init::{Init, Token};

#[derive(Debug, Default)]
pub(super) struct AddedTokens {
    by_id: BTreeMap<u32, Token>,
    ids: HashMap<String, u32>,
    /// What to look for at a character, longest first.
    search: HashMap<char, Vec<String>>,
}

impl AddedTokens {
    /// The tokens of the files, then the special ones that they lack, then those of the class.
    pub(super) fn new(words: &dyn Words, init: &Init, special: &SpecialTokens, of_class: Vec<Token>, unsplit: &[String]) -> Self {
        let mut added = Self::default();
        for (id, token) in &init.added_tokens {
            added.insert(*id, token.clone());
        }
        let missing: Vec<Token> = special
            .all()
            .into_iter()
            .filter(|token| !added.ids.contains_key(*token))
            .map(|token| Token { normalized: Some(false), ..Token::special(token) })
            .collect();
        let of_class = of_class.into_iter();
        for token in missing.into_iter().chain(of_class).filter(|token| !token.content.is_empty()) {
            let id = added.ids.get(&token.content).copied().or_else(|| words.own_id(&token.content));
            let id = id.unwrap_or_else(|| u32::try_from(added.size_with(words)).unwrap_or(u32::MAX));
            added.insert(id, token);
        }
        added.search_for(unsplit);
        added
    }

    fn insert(&mut self, id: u32, token: Token) {
        self.ids.insert(token.content.clone(), id);
        self.by_id.insert(id, token);
    }

    /// Adds a token behind all others.
    pub(super) fn add(&mut self, words: &dyn Words, token: Token) {
        let id = u32::try_from(self.size_with(words)).unwrap_or(u32::MAX);
        if let Some(first) = token.content.chars().next() {
            let search = self.search.entry(first).or_default();
            search.push(token.content.clone());
            search.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
        self.insert(id, token);
    }

    /// The tokens in the order of their ids.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.by_id.values()
    }

    fn search_for(&mut self, unsplit: &[String]) {
        let tokens: HashSet<&String> = self.by_id.values().map(|token| &token.content).chain(unsplit).collect();
        let mut tokens: Vec<String> = tokens.into_iter().cloned().collect();
        tokens.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        for token in tokens {
            if let Some(first) = token.chars().next() {
                self.search.entry(first).or_default().push(token);
            }
        }
    }

    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.by_id.get(&id).map(|token| token.content.clone())
    }

    /// How many tokens there are, those of the vocabulary included.
    pub(super) fn size_with(&self, words: &dyn Words) -> usize {
        words.size() + self.by_id.values().filter(|token| words.own_id(&token.content).is_none()).count()
    }

    /// Cuts a text at the tokens that are in it: the parts, and whether each is an added token. White space around a token
    /// goes where the token takes it along.
    pub(super) fn split(&self, text: &str) -> Vec<(String, bool)> {
        let mut parts: Vec<&str> = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(first) = text[at..].chars().next() {
            let found = self.search.get(&first).and_then(|tokens| tokens.iter().find(|token| text[at..].starts_with(token.as_str())));
            let Some(token) = found else {
                at += first.len_utf8();
                continue;
            };
            parts.extend([&text[start..at], &text[at..at + token.len()]]);
            at += token.len();
            start = at;
        }
        parts.push(&text[start..]);
        parts.retain(|part| !part.is_empty());
        let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        for i in 0..parts.len() {
            self.take_along(&mut parts, i);
        }
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| (self.ids.contains_key(&part), part))
            .map(|(known, part)| (part, known))
            .collect()
    }

    /// Strips the neighbours of a token, or gives the token back to them when it must stand alone.
    fn take_along(&self, parts: &mut [String], i: usize) {
        let Some(token) = self.ids.get(&parts[i]).and_then(|id| self.by_id.get(id)) else { return };
        let (has_left, has_right) = (i > 0 && !parts[i - 1].is_empty(), i + 1 < parts.len());
        if token.rstrip && has_right {
            parts[i + 1] = parts[i + 1].trim_start().to_owned();
        }
        if token.lstrip && has_left {
            parts[i - 1] = parts[i - 1].trim_end().to_owned();
        }
        if !token.single_word {
            return;
        }
        let word = parts[i].clone();
        if has_left && !parts[i - 1].ends_with(' ') {
            parts[i - 1].push_str(&word);
            parts[i].clear();
        } else if has_right && !parts[i + 1].starts_with(' ') {
            parts[i + 1].insert_str(0, &word);
            parts[i].clear();
        }
    }
}

//! Where in a text that goes on a regular expression may begin to match.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

use regex_automata::{
    Anchored, Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, Config, DFA},
    },
    util::syntax,
};

use super::pattern::translated;

/// An automaton for a regular expression is built when an answer comes in pieces.
#[derive(Debug)]
pub(super) struct Beginnings {
    pattern: String,
    automaton: OnceLock<Option<(DFA, Mutex<Memory>)>>,
}

/// What an automaton has found so far.
#[derive(Debug)]
struct Memory {
    cache: Cache,
    /// The states behind which nothing can change a match, as far as they have been looked at.
    decided: HashMap<LazyStateID, bool>,
    /// How often the cache was emptied; its states are others then.
    emptied: usize,
}

impl Beginnings {
    pub(super) fn new(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), automaton: OnceLock::new() }
    }

    /// The first place from a position on where a match may begin that what follows decides. Of an expression that no automaton can be
    /// made of, every place.
    pub(super) fn first(&self, text: &str, from: usize) -> Option<usize> {
        let Some((dfa, memory)) = self.automaton.get_or_init(|| automaton(&self.pattern)) else { return Some(from) };
        let Ok(mut memory) = memory.lock() else { return Some(from) };
        (from..=text.len()).filter(|place| text.is_char_boundary(*place)).find(|place| lives(dfa, &mut memory, text, *place))
    }
}

/// The automaton of an expression. What must follow a match counts as a part of it here, and a text's end may be the end of the text so far.
fn automaton(pattern: &str) -> Option<(DFA, Mutex<Memory>)> {
    let python = translated(pattern).replace("(?=\\n?\\z)", "(?:\\n?\\z)").replace("(?=", "(?:");
    let config = Config::new().skip_cache_capacity_check(true).cache_capacity(1 << 22);
    let dfa = DFA::builder().configure(config).syntax(syntax::Config::new().dot_matches_new_line(true)).build(&python).ok()?;
    let memory = Memory { cache: dfa.create_cache(), decided: HashMap::new(), emptied: 0 };
    Some((dfa, Mutex::new(memory)))
}

/// Whether a match that begins at a place may go on behind the text. Where that cannot be told it may.
fn lives(dfa: &DFA, memory: &mut Memory, text: &str, place: usize) -> bool {
    let cache = &mut memory.cache;
    let input = Input::new(text).range(place..).anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return true };
    for byte in text.bytes().skip(place) {
        if state.is_tagged() && (state.is_dead() || state.is_quit()) {
            return state.is_quit();
        }
        match dfa.next_state(cache, state, byte) {
            Ok(next) => state = next,
            Err(_) => return true,
        }
    }
    if state.is_dead() {
        return false;
    }
    if memory.emptied != cache.clear_count() {
        memory.decided.clear();
        memory.emptied = cache.clear_count();
    }
    let known = memory.decided.get(&state).copied();
    let is_decided = known.unwrap_or_else(|| is_decided(dfa, cache, state).unwrap_or(false));
    if memory.emptied == cache.clear_count() {
        memory.decided.insert(state, is_decided);
    }
    !is_decided
}

/// Whether no text that follows makes another match. The automaton tells a match one byte late: what comes next may be the state that tells
/// it, with nothing behind.
fn is_decided(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Option<bool> {
    let mut next: Vec<LazyStateID> = Vec::new();
    // A match that only the end of the text makes is none where the text goes on.
    let may_match_at_end = dfa.next_eoi_state(cache, state).ok()?.is_match();
    for byte in 0..=u8::MAX {
        let state = dfa.next_state(cache, state, byte).ok()?;
        if may_match_at_end && !state.is_match() {
            return Some(false);
        }
        if !state.is_dead() && !next.contains(&state) {
            next.push(state);
        }
    }
    for state in next {
        if !state.is_match() {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            if !dfa.next_state(cache, state, byte).ok()?.is_dead() {
                return Some(false);
            }
        }
    }
    Some(true)
}

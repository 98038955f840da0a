//! An assistant with other tokens: what the model has is spelled in the assistant's tokens, and what that guesses in the model's
//! (`AssistedCandidateGeneratorDifferentTokenizers` of the reference).

use std::sync::Arc;

use crate::Result;

/// How a model and its assistant spell each other's texts.
pub trait Respell: Send + Sync {
    /// The assistant's tokens for a text from its beginning, given in the model's.
    ///
    /// # Errors
    /// What the tokenizers cannot do.
    fn whole(&self, tokens: &[u32]) -> Result<Vec<u32>>;

    /// The assistant's tokens for a part of a text, given in the model's.
    ///
    /// # Errors
    /// What the tokenizers cannot do.
    fn part(&self, tokens: &[u32]) -> Result<Vec<u32>>;

    /// The model's tokens for a part of a text, given in the assistant's.
    ///
    /// # Errors
    /// What the tokenizers cannot do.
    fn back(&self, tokens: &[u32]) -> Result<Vec<u32>>;

    /// The tokens that end a text of the assistant.
    fn ends(&self) -> &[i64];
}

/// The text so far in both spellings.
pub(super) struct OtherTokens {
    pub(super) respell: Arc<dyn Respell>,
    /// So many of the model's tokens are spelled again with the new ones: where a spelling begins changes its first tokens.
    pub(super) target_lookbehind: usize,
    /// And so many of the assistant's with its guesses.
    pub(super) assistant_lookbehind: usize,
    /// What the assistant had the last time, its guesses included.
    before: Vec<u32>,
    /// How many tokens the model had then.
    target: usize,
}

impl OtherTokens {
    pub(super) fn new(respell: Arc<dyn Respell>, target_lookbehind: usize, assistant_lookbehind: usize) -> Self {
        Self { respell, target_lookbehind, assistant_lookbehind, before: Vec::new(), target: 0 }
    }

    /// The model's text in the assistant's tokens. What is new is aligned with what was there by the longest run that both have.
    pub(super) fn spelled(&self, history: &[u32]) -> Result<Vec<u32>> {
        let window = self.target.checked_sub(self.target_lookbehind).filter(|from| *from > 0 && !self.before.is_empty());
        let Some(window) = window.and_then(|from| history.get(from..)) else { return self.respell.whole(history) };
        let new = self.respell.part(window)?;
        let mut all = self.before.clone();
        match align(tail(&all, new.len()), &new) {
            Some(Aligned { behind, instead, more }) => {
                all.truncate(all.len() - behind);
                all.extend(instead);
                all.extend(more);
            }
            None => all.extend(new),
        }
        Ok(all)
    }

    /// The guesses behind such a text as tokens that go on from the model's; what an alignment would change of those is no guess.
    pub(super) fn back(&mut self, history: &[u32], spelled: Vec<u32>, guesses: &[u32]) -> Result<Vec<u32>> {
        let from = spelled.len().saturating_sub(self.assistant_lookbehind);
        self.before = spelled;
        self.before.extend(guesses);
        self.target = history.len();
        let respelled = self.respell.back(self.before.get(from..).unwrap_or_default())?;
        Ok(match align(tail(history, respelled.len()), &respelled) {
            Some(Aligned { more, .. }) => more.to_vec(),
            None => respelled,
        })
    }
}

fn tail(tokens: &[u32], count: usize) -> &[u32] {
    &tokens[tokens.len().saturating_sub(count)..]
}

/// What a new spelling says behind the longest run of tokens that it shares with the end of an old one.
#[derive(Debug, PartialEq)]
struct Aligned<'a> {
    /// How many tokens the old one has behind that run.
    behind: usize,
    /// What the new one has in their place,
    instead: &'a [u32],
    /// and what comes then.
    more: &'a [u32],
}

/// `None` where they share no token.
fn align<'a>(old: &[u32], new: &'a [u32]) -> Option<Aligned<'a>> {
    let run = |at: usize, place: usize| new.iter().skip(at).zip(old.iter().skip(place)).take_while(|(a, b)| a == b).count();
    let mut best = (0, 0, 0);
    for at in 0..new.len() {
        for place in 0..old.len() {
            let length = run(at, place);
            if length > best.2 {
                best = (at, place, length);
            }
        }
    }
    let (at, place, length) = best;
    if length == 0 {
        return None;
    }
    let behind = old.len() - (place + length);
    let rest = new.get(at + length..).unwrap_or_default();
    let (instead, more) = rest.split_at(behind.min(rest.len()));
    Some(Aligned { behind, instead, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of the reference's `_get_tokens_diag`.
    #[test]
    fn the_longest_shared_run_aligns() {
        let aligned = |old: &[u32], new: &[u32]| align(old, new).map(|a| (a.behind, a.instead.to_vec(), a.more.to_vec()));
        assert_eq!(aligned(&[1, 2, 3], &[1, 2, 3, 4, 5]), Some((0, vec![], vec![4, 5])));
        assert_eq!(aligned(&[1, 2, 3], &[9, 2, 3, 4]), Some((0, vec![], vec![4])));
        assert_eq!(aligned(&[1, 2, 3, 7], &[1, 2, 3, 4, 5]), Some((1, vec![4], vec![5])));
        assert_eq!(aligned(&[1, 2, 3, 7, 8], &[1, 2, 3, 4]), Some((2, vec![4], vec![])));
        assert_eq!(aligned(&[1, 2, 1, 2, 3], &[1, 2, 3]), Some((0, vec![], vec![])));
        assert_eq!(aligned(&[1, 2], &[3, 4]), None);
        assert_eq!(aligned(&[], &[3]), None);
    }
}

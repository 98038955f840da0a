//! Prompt lookup: what followed the same tokens earlier may follow them again (`prompt_lookup_num_tokens`).

use super::Guess;
use crate::config::GenerationConfig;
use crate::{Error, Result};

/// Finds the last tokens earlier in the text, as `PromptLookupCandidateGenerator` of the reference, and before the text in what an encoder
/// read, where the reference does not look: what is shortened or translated often comes again. What processors forbid is left to the
/// check of the guesses.
#[derive(Debug)]
pub(in crate::generate) struct PromptLookup {
    num_tokens: usize,
    max_ngram: usize,
    eos: Vec<i64>,
    /// What an encoder read.
    source: Vec<u32>,
}

impl PromptLookup {
    pub(super) fn new(config: &GenerationConfig, source: &[u32]) -> Result<Option<Self>> {
        let Some(num_tokens) = config.prompt_lookup_num_tokens else { return Ok(None) };
        if num_tokens == 0 {
            return Err(Error::request("prompt_lookup_num_tokens", "must be greater than 0"));
        }
        let max_ngram = config.max_matching_ngram_size.filter(|size| *size > 0).unwrap_or(2);
        Ok(Some(Self { num_tokens, max_ngram, eos: config.eos_token_id.clone().unwrap_or_default(), source: source.to_vec() }))
    }

    /// What followed the longest of the last n-grams where it came first, up to an end token.
    pub(super) fn guess(&self, history: &[u32], most: usize) -> Vec<Guess> {
        let text = [self.source.as_slice(), history].concat();
        // An n-gram is of the answer, and there is something before it.
        let longest = self.max_ngram.min(history.len()).min(text.len().saturating_sub(1));
        let found = (1..=longest).rev().find_map(|size| self.follow(&text, size));
        let ends = |token: &u32| self.eos.contains(&i64::from(*token));
        let tokens = found.unwrap_or_default().iter().take_while(|token| !ends(token)).take(most);
        tokens.map(|&token| Guess { token, probabilities: Vec::new() }).collect()
    }

    fn follow<'t>(&self, text: &'t [u32], size: usize) -> Option<&'t [u32]> {
        let ngram = text.get(text.len() - size..)?;
        // The last place is where it is now: nothing follows there.
        let start = text.windows(size).take(text.len() - size).position(|window| window == ngram)? + size;
        text.get(start..start.saturating_add(self.num_tokens).min(text.len()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::config::GenerationDefaults;

    fn lookup(parameters: &Value, source: &[u32]) -> Result<Option<PromptLookup>> {
        let defaults = GenerationDefaults::new(None, &json!({}))?;
        PromptLookup::new(&GenerationConfig::resolve(&defaults, &Map::new(), parameters.as_object().unwrap())?, source)
    }

    #[test]
    fn the_longest_match_that_came_first_is_followed() {
        let guess = |parameters: Value, history: &[u32], most: usize| -> Vec<u32> {
            lookup(&parameters, &[]).unwrap().unwrap().guess(history, most).into_iter().map(|guess| guess.token).collect()
        };
        let three = || json!({"prompt_lookup_num_tokens": 3});
        assert_eq!(guess(three(), &[7, 2, 9, 1, 2, 3, 4, 5, 1, 2], 9), [3, 4, 5]);
        assert_eq!(guess(three(), &[7, 2, 9, 1, 2, 3, 4, 5, 1, 2], 2), [3, 4]);
        assert_eq!(guess(json!({"prompt_lookup_num_tokens": 3, "max_matching_ngram_size": 1}), &[7, 2, 9, 1, 2, 3, 4, 1, 2], 9), [9, 1, 2]);
        assert_eq!(guess(three(), &[8, 4, 6, 4], 9), [6, 4]);
        assert_eq!(guess(three(), &[1, 1], 9), [1]);
        assert_eq!(guess(json!({"prompt_lookup_num_tokens": 3, "eos_token_id": [6]}), &[8, 4, 5, 6, 4], 9), [5]);
        assert!(guess(three(), &[1, 2, 3], 9).is_empty() && guess(three(), &[1], 9).is_empty() && guess(three(), &[1, 1], 0).is_empty());
        assert!(lookup(&json!({"prompt_lookup_num_tokens": 0}), &[]).is_err() && lookup(&json!({}), &[]).unwrap().is_none());
    }

    #[test]
    fn what_an_encoder_read_is_followed_too() {
        let lookup = lookup(&json!({"prompt_lookup_num_tokens": 3}), &[5, 6, 7, 8, 1]).unwrap().unwrap();
        let guess = |history: &[u32]| -> Vec<u32> { lookup.guess(history, 9).into_iter().map(|guess| guess.token).collect() };
        assert_eq!(guess(&[0, 6]), [7, 8, 1]);
        assert_eq!(guess(&[6]), [7, 8, 1], "an answer of one token");
        assert_eq!(guess(&[0, 6, 9, 6]), [7, 8, 1], "the source comes first");
        assert_eq!(guess(&[0, 2, 6, 9, 2, 6]), [9, 2, 6], "but the longer match wins");
        assert!(guess(&[0]).is_empty());
    }
}

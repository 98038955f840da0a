//! When a row has ended: by length, time, end tokens, stop strings, or a caller's own test.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::GenerationConfig;
use crate::{Error, Result};

/// Why a row has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It is as long as it may be.
    MaxLength,
    /// Time is up.
    MaxTime,
    /// A stop string is in it.
    StopString,
    /// An end token came.
    EosToken,
    /// The caller's own test said so.
    Test,
}

/// A caller's test: from the place of the row in the call and its history.
pub type StopTest = Box<dyn FnMut(usize, &[u32]) -> bool + Send>;

/// A caller's own test for the end of an answer, from the tokens so far, those of the prompt included. It is asked after each new token,
/// and of beams with each continuation that is considered.
#[derive(Clone)]
pub struct StopWhen(Arc<SharedTest>);

type SharedTest = dyn Fn(&[u32]) -> bool + Send + Sync;

impl StopWhen {
    /// Ends an answer where this says so.
    pub fn new(test: impl Fn(&[u32]) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }

    /// Whether an answer ends with these tokens.
    pub fn test(&self, tokens: &[u32]) -> bool {
        (self.0)(tokens)
    }
}

impl std::fmt::Debug for StopWhen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StopWhen")
    }
}

/// The bytes that a token adds to a text. Tokens of byte-level and byte-fallback tokenizers may hold part of a character.
pub type TokenBytes = Box<dyn Fn(u32) -> Cow<'static, [u8]> + Send + Sync>;

/// All that may end a row.
pub struct Stopping {
    max_length: usize,
    deadline: Option<Instant>,
    eos: Vec<i64>,
    strings: Option<(StopStrings, TokenBytes)>,
    test: Option<StopTest>,
}

impl Stopping {
    /// From a configuration and [`GenerationConfig::lengths`]; the clock of `max_time` starts now. Stop strings need to know the bytes of
    /// tokens.
    pub fn new(config: &GenerationConfig, max_length: usize, bytes: Option<TokenBytes>) -> Result<Self> {
        let strings = match (config.stop_strings.is_empty(), bytes) {
            (true, _) => None,
            (false, Some(bytes)) => Some((StopStrings::new(&config.stop_strings), bytes)),
            (false, None) => return Err(Error::request("stop_strings", "needs a tokenizer, and the checkpoint has none")),
        };
        // A time below 0 is over before it begins; one too far away never comes.
        let deadline =
            config.max_time.and_then(|s| Instant::now().checked_add(Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)));
        Ok(Self { max_length, deadline, eos: config.eos_token_id.clone().unwrap_or_default(), strings, test: None })
    }

    /// Adds the caller's own test.
    #[must_use]
    pub fn with_test(mut self, test: StopTest) -> Self {
        self.test = Some(test);
        self
    }

    /// The most tokens that a row may have, those of the prompt included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Whether a row ends with the last token of its history (which includes the prompt), and why.
    pub fn check(&mut self, row: usize, history: &[u32]) -> Option<StopReason> {
        if history.last().is_some_and(|token| self.eos.contains(&i64::from(*token))) {
            return Some(StopReason::EosToken);
        }
        if self.strings.as_ref().is_some_and(|(strings, bytes)| strings.is_hit(history, bytes)) {
            return Some(StopReason::StopString);
        }
        if self.test.as_mut().is_some_and(|test| test(row, history)) {
            return Some(StopReason::Test);
        }
        if history.len() >= self.max_length {
            return Some(StopReason::MaxLength);
        }
        self.deadline.filter(|deadline| Instant::now() > *deadline).map(|_| StopReason::MaxTime)
    }
}

/// Strings that end a text. As in the reference, one counts when it ends inside the last token, wherever it began, the prompt
/// included; an empty one counts at once.
#[derive(Debug, Clone)]
pub struct StopStrings {
    strings: Vec<Vec<u8>>,
    longest: usize,
}

impl StopStrings {
    /// The strings to look for.
    pub fn new(strings: &[String]) -> Self {
        let strings: Vec<Vec<u8>> = strings.iter().map(|s| s.as_bytes().to_vec()).collect();
        let longest = strings.iter().map(Vec::len).max().unwrap_or(0);
        Self { strings, longest }
    }

    /// Whether one of them ends inside the last token.
    pub fn is_hit(&self, history: &[u32], bytes: impl Fn(u32) -> Cow<'static, [u8]>) -> bool {
        let Some((last, before)) = history.split_last() else { return false };
        let last = bytes(*last);
        // From the end: the last token, and of what was before as much as the longest string could take.
        let mut reversed: Vec<u8> = last.iter().rev().copied().collect();
        let enough = last.len() + self.longest;
        for token in before.iter().rev() {
            if reversed.len() >= enough {
                break;
            }
            reversed.extend(bytes(*token).iter().rev());
        }
        let ends_in_last = |string: &Vec<u8>| {
            let begins = |start: usize| string.iter().rev().eq(reversed.get(start..start + string.len()).unwrap_or_default());
            string.is_empty() || (0..last.len()).any(begins)
        };
        self.strings.iter().any(ends_in_last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(strings: &[&str], tokens: &[&'static str]) -> bool {
        let strings: Vec<String> = strings.iter().map(|s| s.to_string()).collect();
        let tokens = tokens.to_vec();
        let history: Vec<u32> = (0..tokens.len() as u32).collect();
        StopStrings::new(&strings).is_hit(&history, move |token| Cow::Borrowed(tokens[token as usize].as_bytes()))
    }

    #[test]
    fn a_stop_string_ends_inside_the_last_token() {
        assert!(hit(&["stop"], &["a st", "op it"]));
        assert!(hit(&["stop"], &["s", "t", "o", "p"]));
        assert!(hit(&["x", "ö"], &["Zoë", "sö!"]));
        assert!(!hit(&["stop"], &["stop", " it"]), "it ended a token earlier");
        assert!(!hit(&["stop"], &["a", "top"]));
        assert!(!hit(&["stop"], &["stop", ""]));
        assert!(hit(&[""], &["a"]));
        assert!(!hit(&["a"], &[]));
    }
}

//! What the text of an answer must match.

use serde_json::Value;

use super::generating::OwnProcessors;
#[cfg(feature = "constraints")]
use super::grammar;
use crate::{Error, Result};

/// What the text of an answer matches from its beginning to its end token. An answer that a limit such as `max_new_tokens` cuts before it
/// does is an error of a kind of its own ([`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete)); a stream ends with that error.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Constraint {
    /// JSON that a JSON schema describes.
    JsonSchema(Value),
    /// JSON that a JSON schema describes, without space between its parts.
    CompactJson(Value),
    /// A regular expression, in the syntax of the crate `regex`, over all of the text.
    Regex(String),
    /// A grammar in Lark's syntax, whose rule `start` is all of the text.
    Grammar(String),
}

impl Constraint {
    /// What the parameter of a call is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::JsonSchema(_) | Self::CompactJson(_) => "json_schema",
            Self::Regex(_) => "regex",
            Self::Grammar(_) => "grammar",
        }
    }
}

/// The texts of a vocabulary, prepared for constraints.
pub struct Vocabulary {
    #[cfg(feature = "constraints")]
    texts: grammar::Texts,
}

impl Vocabulary {
    /// From the bytes of each token, and whether it is a special one, which a text never spells: a grammar names it, `<|eot_id|>`.
    ///
    /// # Errors
    /// Where the library is built without the feature `constraints`.
    #[cfg_attr(not(feature = "constraints"), allow(unused_variables, reason = "there is nothing to prepare"))]
    pub fn new(tokens: Vec<(Vec<u8>, bool)>) -> Result<Self> {
        #[cfg(feature = "constraints")]
        return Ok(Self { texts: grammar::Texts::new(tokens)? });
        #[cfg(not(feature = "constraints"))]
        Err(Error::unsupported("json_schema, regex and grammar need the Cargo feature `constraints`, which this program was built without"))
    }

    /// The processors that hold answers to a constraint; the end tokens come where the text is complete, and only there.
    ///
    /// # Errors
    /// A constraint that makes no sense or that nothing meets, and a model without end tokens.
    #[cfg_attr(not(feature = "constraints"), allow(unused_variables, reason = "there is no vocabulary"))]
    pub fn hold(&self, constraint: &Constraint, eos_token_id: &[i64]) -> Result<OwnProcessors> {
        #[cfg(feature = "constraints")]
        return self.texts.hold(constraint, eos_token_id).map_err(|message| Error::request(constraint.name(), message));
        #[cfg(not(feature = "constraints"))]
        Err(Error::unsupported(constraint.name()))
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary").finish_non_exhaustive()
    }
}

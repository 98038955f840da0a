//! Guesses at how an answer goes on. The model checks several in one run, and the answer stays what it would be without them: only
//! sooner, where they are right.

mod assistant;
mod confidence;
mod lookup;
mod other_tokens;

pub use assistant::{Assistant, AssistantConfig, Schedule};
use lookup::PromptLookup;
pub use other_tokens::Respell;

use super::decoder::LanguageModel;
use super::generating::Settings;
use crate::Result;
use crate::config::GenerationConfig;

/// A token that may come next.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Guess {
    pub(super) token: u32,
    /// How likely each token was to be the guess; empty where that does not matter.
    pub(super) probabilities: Vec<f32>,
}

/// Where guesses come from.
pub(super) enum Drafts<M> {
    /// What came after the same words before.
    Lookup(PromptLookup),
    /// A smaller model.
    Assistant(Box<Assistant<M>>),
}

impl<M: LanguageModel> Drafts<M> {
    /// Those that a configuration asks for, which needs nothing else; `source` is what an encoder read.
    pub(super) fn new(config: &GenerationConfig, source: &[u32]) -> Result<Option<Self>> {
        Ok(PromptLookup::new(config, source)?.map(Self::Lookup))
    }

    /// A smaller model; `source` is what an encoder read, or the prompt.
    pub(super) fn assisted(mut assistant: Assistant<M>, prompt: &[u32], source: &[u32], settings: &Settings<'_>) -> Result<Self> {
        assistant.begin(prompt, source, settings)?;
        Ok(Self::Assistant(Box::new(assistant)))
    }

    /// At most so many guesses at what follows the tokens so far, in their order.
    pub(super) fn guess(&mut self, history: &[u32], most: usize) -> Result<Vec<Guess>> {
        match self {
            Self::Lookup(lookup) => Ok(lookup.guess(history, most)),
            Self::Assistant(assistant) => assistant.guess(history, most),
        }
    }

    /// Tells how many of the last guesses, from the first on, were right, and how many were checked.
    pub(super) fn judged(&mut self, right: usize, checked: usize) {
        match self {
            Self::Lookup(_) => {}
            Self::Assistant(assistant) => assistant.judged(right, checked),
        }
    }
}

//! What is kept of the choices that an answer had.

use super::log_softmax;
use crate::config::GenerationConfig;

/// The numbers behind each token, as far as the configuration asks for them.
#[derive(Debug, Default)]
pub(super) struct Record {
    wants_logits: bool,
    wants_scores: bool,
    wants_log_probs: bool,
    pub(super) logits: Vec<Vec<f32>>,
    pub(super) scores: Vec<Vec<f32>>,
    pub(super) log_probs: Vec<f32>,
    /// The logarithms of the probabilities of the next token.
    next: Vec<f32>,
}

impl Record {
    pub(super) fn new(config: &GenerationConfig) -> Self {
        Self { wants_logits: config.output_logits, wants_scores: config.output_scores, wants_log_probs: config.logprobs, ..Self::default() }
    }

    /// What the model says about the next token.
    pub(super) fn logits(&mut self, logits: &[f32]) {
        if self.wants_logits {
            self.logits.push(logits.to_vec());
        }
        if self.wants_log_probs {
            self.next.clear();
            self.next.extend_from_slice(logits);
            log_softmax(&mut self.next);
        }
    }

    /// What processors made of it, and which token was chosen; gives the logarithm of its probability.
    pub(super) fn chosen(&mut self, scores: &[f32], token: usize) -> Option<f32> {
        if self.wants_scores {
            self.scores.push(scores.to_vec());
        }
        let log_prob = self.next.get(token).copied();
        self.log_probs.extend(log_prob);
        log_prob
    }
}

//! How tokens are chosen: logits processors, sampling, beams and stopping. All of it is pure: no model, no session, no tokenizer.

pub mod beams;
pub mod processors;
mod rank;
pub mod sampling;
mod scores;
pub mod stopping;

pub use scores::log_softmax;

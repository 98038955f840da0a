//! How tokens are chosen: logits processors, sampling, beams and stopping. All of it is pure: no model, no session, and no
//! tokenizer, except where text is made of tokens as they come.

pub mod beams;
pub mod processors;
mod rank;
pub mod sampling;
mod scores;
pub mod stopping;
mod stream;

pub use scores::log_softmax;
pub use stream::TextStream;

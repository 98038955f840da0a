//! Logits become answers: pure functions.

#[cfg(feature = "text")]
pub mod answer;
#[cfg(feature = "text")]
pub mod entailment;
#[cfg(feature = "text")]
pub mod entities;
#[cfg(feature = "text")]
pub mod places;
#[cfg(feature = "text")]
pub mod response;
pub mod scores;
#[cfg(feature = "text")]
pub mod spans;

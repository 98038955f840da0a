//! What texts go through: tokenizers, chat templates, streams, answers, and what holds them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod chat;
mod constraints;
mod jinja;
mod schemas;
mod text_stream;
mod tokenizer_faults;
mod tokenizers;

//! The tasks and what they stand on: the answers of the reference, ready-made graphs, generation, tables of the docs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/goldens.rs"]
mod goldens;

mod convert;
mod decision;
mod decoding;
mod dtypes;
mod fixed_shapes;
mod generate;
mod image_text;
mod parity;
mod readme;
mod ready;
mod tables;
mod text_tasks;
mod text_to_text;
mod variants;

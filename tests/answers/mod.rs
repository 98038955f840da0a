//! Reasoning and calls of tools, read out of what the common families of chat models write.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod architectures;
mod chance;
mod check;
mod formats;
mod marks;
mod messages;
mod repairs;
mod reports;
mod templates;
mod written;

//! The program as people and scripts use it: exact answers on standard output, one `error:` line for everything that is wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

mod chat;
#[allow(dead_code)]
#[path = "../support/goldens.rs"]
mod goldens;
mod machine;
mod many;
mod models;
#[cfg(target_os = "linux")]
mod privacy;
mod program;
mod requests;
mod streams;
mod tells;

//! A folder or a Hub name becomes a local checkpoint.
//!
//! The cache on disk is the one that Python's `huggingface_hub` uses, with the same layout, environment variables and locks, so
//! that what either of them downloaded serves both. Without the `hub` feature folders and that cache still work, and nothing
//! else touches the network.

#[cfg(feature = "hub")]
mod about;
#[cfg(feature = "hub")]
mod apart;
pub mod cache;
mod checkpoint;
mod digest;
#[cfg(feature = "hub")]
mod download;
mod environment;
#[cfg(feature = "hub")]
mod failure;
#[cfg(feature = "hub")]
mod http;
mod json;
mod layout;
mod listing;
mod local;
#[cfg(feature = "hub")]
mod media;
mod name;
mod options;
#[cfg(feature = "hub")]
mod reach;
#[cfg(feature = "hub")]
mod remote;
mod repository;
mod shared;
#[cfg(feature = "hub")]
mod store;
#[cfg(feature = "hub")]
mod transfer;

#[cfg(feature = "hub")]
pub use about::{About, about};
pub use checkpoint::Checkpoint;
#[cfg(feature = "hub")]
pub use media::{download_bytes, download_bytes_within};
pub use options::{Options, Progress};
#[cfg(feature = "hub")]
pub use reach::{Reach, reach};

//! Any Hugging Face Transformers model, from Rust, on ONNX Runtime.
//!
//! A pipeline is a task with a model loaded; it answers as Python's `transformers.pipeline(...)` does:
//!
//! ```no_run
//! use formers::pipelines::{Pipeline, TextClassification};
//!
//! let classify = TextClassification::from_pretrained("distilbert/distilbert-base-uncased-finetuned-sst-2-english")?;
//! let labels = classify.run("I loved it")?;
//! println!("{}: {}", labels[0].label, labels[0].score);
//! # Ok::<(), formers::Error>(())
//! ```
//!
//! By the task's name, with JSON in and out: [`pipelines::pipeline`].

// Without text, image or audio there are no tasks, and nothing uses what they share.
#![cfg_attr(not(any(feature = "text", feature = "image", feature = "audio")), allow(dead_code))]

pub mod config;
mod error;
#[cfg(feature = "text")]
pub mod generate;
pub mod hub;
pub mod model;
pub mod pipelines;
pub mod postprocess;
pub mod preprocess;
pub mod session;

pub use error::{Error, ErrorKind, Result};
pub use model::Options;
pub use pipelines::pipeline;

/// The programs of the README and of the pages beside it compile.
#[cfg(all(doctest, feature = "text"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "text"))]
#[doc = include_str!("../docs/generation.md")]
struct Generation;

#[cfg(all(doctest, feature = "text", feature = "load-dynamic"))]
#[doc = include_str!("../docs/application.md")]
struct Application;

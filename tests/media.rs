//! Pictures and sounds: what is read, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod image_formats;
mod preprocess_audio;
mod preprocess_image;
mod sound_formats;

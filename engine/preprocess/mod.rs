//! Text, pictures and sound become the inputs of a graph: pure functions driven by configs.

#[cfg(feature = "audio")]
pub mod audio;
#[cfg(any(feature = "audio", feature = "avif"))]
mod boxes;
#[cfg(feature = "image")]
pub mod image;
#[cfg(any(feature = "audio", feature = "image"))]
pub mod media;
#[cfg(all(feature = "text", feature = "image"))]
pub mod placeholders;
#[cfg(feature = "text")]
pub mod text;

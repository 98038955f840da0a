//! Chats become the text that a model was trained on: the checkpoint's own templates, rendered as Python renders them.

mod clock;
mod continuation;
mod control;
mod json;
mod literals;
mod messages;
mod parsed;
mod render;
mod templates;
mod tools;

pub use clock::WallClock;
pub(crate) use json::dumps;
pub(crate) use literals::reads;
pub use render::{ChatOptions, Continue, render};
pub use templates::ChatTemplates;
pub use tools::is_tool;

pub(crate) use super::jinja::text::is_space;

//! Chats become the text that a model was trained on: the checkpoint's own templates, rendered as Python renders them.

mod budget;
mod clock;
mod continuation;
mod control;
mod environment;
mod filters;
mod json;
mod literals;
mod messages;
mod methods;
mod operators;
mod predicates;
mod python;
mod render;
mod strings;
mod templates;

pub use clock::WallClock;
pub(crate) use json::dumps;
pub(crate) use literals::reads;
pub(crate) use python::is_space;
pub use render::{ChatOptions, Continue, render};
pub use templates::ChatTemplates;

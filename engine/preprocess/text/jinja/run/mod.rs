//! Renders a template: walks its tree with the values that it is given.

pub(crate) mod activation;
pub(crate) mod arguments;
pub(crate) mod attributes;
mod calls;
mod expressions;
pub(crate) mod functions;
pub(crate) mod iterate;
pub(crate) mod looped;
mod loops;
pub(crate) mod machine;
pub(crate) mod operators;
pub(crate) mod order;
mod slices;
mod statements;

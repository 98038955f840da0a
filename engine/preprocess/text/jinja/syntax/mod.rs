//! From a template's text to its tree, with the grammar and the scopes of Jinja 3.1.

mod expressions;
mod lexer;
mod literals;
mod parser;
mod resolve;
mod symbols;
mod tags;
mod token;
pub(super) mod tree;
mod visit;

pub(super) use literals::is_identifier;
pub(super) use parser::parse;
pub(super) use visit::literals;

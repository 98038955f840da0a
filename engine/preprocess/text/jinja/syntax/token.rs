//! The tokens of a template.

use std::sync::Arc;

use num_bigint::BigInt;

/// A token and the line that it begins on.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) line: u32,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Data(Arc<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Arc<str>),
    String(String),
    Integer(BigInt),
    Float(f64),
    Operator(&'static str),
    End,
}

impl TokenKind {
    /// How Jinja's messages call it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Data(_) => "template data / text",
            Self::VariableBegin => "begin of print statement",
            Self::VariableEnd => "end of print statement",
            Self::BlockBegin => "begin of statement block",
            Self::BlockEnd => "end of statement block",
            Self::Name(name) => name,
            Self::String(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Operator(operator) => operator,
            Self::End => "end of template",
        }
        .to_owned()
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(own) if &**own == name)
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self, Self::Operator(own) if *own == operator)
    }
}

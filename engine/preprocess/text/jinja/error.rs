//! What goes wrong with a template: what Python would raise, and where.

use std::fmt;

/// The exception that Python would raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `TemplateSyntaxError`: the template cannot be read.
    Syntax,
    /// What the template itself raises, by `raise_exception`.
    Raised,
    /// The template costs more than any chat needs.
    Limit,
    Undefined,
    Security,
    Runtime,
    Argument,
    Type,
    Value,
    Index,
    Key,
    Lookup,
    Attribute,
    Overflow,
    ZeroDivision,
    Assertion,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax error",
            Self::Raised => "TemplateError",
            Self::Limit => "limit",
            Self::Undefined => "UndefinedError",
            Self::Security => "SecurityError",
            Self::Runtime => "TemplateRuntimeError",
            Self::Argument => "FilterArgumentError",
            Self::Type => "TypeError",
            Self::Value => "ValueError",
            Self::Index => "IndexError",
            Self::Key => "KeyError",
            Self::Lookup => "LookupError",
            Self::Attribute => "AttributeError",
            Self::Overflow => "OverflowError",
            Self::ZeroDivision => "ZeroDivisionError",
            Self::Assertion => "AssertionError",
        }
    }
}

/// An error of a template.
#[derive(Debug, Clone)]
pub(crate) struct Error(Box<(Kind, String, Option<u32>)>);

/// What steps of a template give.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The longest part of a value that a message quotes, in characters.
const QUOTED: usize = 200;

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = match message.char_indices().nth(QUOTED) {
            Some((end, _)) if kind != Kind::Raised => format!("{} …", &message[..end]),
            _ => message,
        };
        Self(Box::new((kind, message, None)))
    }

    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Type, message)
    }

    /// A method that a value does not have.
    pub(crate) fn no_method(type_name: &str, method: &str) -> Self {
        Self::new(Kind::Attribute, format!("'{type_name}' object has no attribute '{method}'"))
    }

    pub(crate) fn value_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Value, message)
    }

    pub(crate) fn syntax(line: u32, message: impl Into<String>) -> Self {
        Self::new(Kind::Syntax, message).on_line(line)
    }

    /// The error with its line, unless it has one.
    pub(crate) fn on_line(mut self, line: u32) -> Self {
        self.0.2.get_or_insert(line);
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.0
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.1
    }

    pub(crate) fn line(&self) -> Option<u32> {
        self.0.2
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind().name(), self.message())
    }
}

impl std::error::Error for Error {}

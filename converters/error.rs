use std::fmt;

use crate::shortened;

/// What went wrong while a checkpoint was read or turned into a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file of the checkpoint is damaged, truncated or inconsistent.
    Checkpoint,
    /// A tensor that the architecture needs is missing, or one that nothing uses is there.
    Tensor,
    /// A field of `config.json` is missing, contradictory or out of bounds.
    Config,
    /// The checkpoint is fine, but this converter does not know how to convert it.
    Unsupported,
    /// The operating system refused to read or write a file.
    Io,
}

/// An error with a kind that a program can match and a message that names the file, tensor or field.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<std::io::Error>,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a kind, with a message that says what was wrong and what to do. Of a value that it quotes only the ends are kept where
    /// that is very long.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: shortened(message), source: None }
    }

    /// A damaged or inconsistent file.
    pub fn checkpoint(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Checkpoint, message)
    }

    /// A missing, unexpected or misshapen tensor.
    pub fn tensor(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Tensor, message)
    }

    /// A bad field of `config.json`.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Something this converter does not know.
    pub fn unsupported(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A file that could not be read or written.
    pub fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        let message = shortened(format_args!("{}: {source}", path.display()));
        Self { kind: ErrorKind::Io, message, source: Some(source) }
    }

    /// The same error with the place (file, tensor, field) in front of its message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = shortened(format_args!("{place}: {}", self.message));
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}

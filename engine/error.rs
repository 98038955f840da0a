use std::fmt;

use formers_converters::{self as converters, shortened};

/// What went wrong, for a program to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The repository, revision or file does not exist.
    NotFound,
    /// The Hub wants a token, or the token at hand does not open this repository.
    Unauthorized,
    /// The network failed, also after retries.
    Network,
    /// The file is not in the cache and the network must not be used.
    Offline,
    /// A file of the checkpoint is damaged or inconsistent, or a tensor is missing.
    Checkpoint,
    /// A configuration file has a bad field.
    Config,
    /// An architecture, task, processor or format that this version does not know.
    Unsupported,
    /// The request itself is wrong: an input or a parameter.
    Request,
    /// What the model answered cannot be read as it should be.
    Answer,
    /// An answer ended before it matched what it must: it needs more tokens, or more time.
    Incomplete,
    /// A picture or a sound could not be decoded.
    Media,
    /// ONNX Runtime is missing, too old, or failed.
    Runtime,
    /// The requested device or execution provider is not there.
    Device,
    /// The operating system refused to read or write a file.
    Io,
}

impl ErrorKind {
    /// Its name for other programs, such as `not_found`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::Network => "network",
            Self::Offline => "offline",
            Self::Checkpoint => "checkpoint",
            Self::Config => "config",
            Self::Unsupported => "unsupported",
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Incomplete => "incomplete",
            Self::Media => "media",
            Self::Runtime => "runtime",
            Self::Device => "device",
            Self::Io => "io",
        }
    }
}

/// The one error of this crate: a kind that a program can match and a message that names the place (repository, file,
/// tensor, input, field) and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    index: Option<usize>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a kind, with a message that says what was wrong and what to do. Of a value that it quotes only the ends are kept where
    /// that is very long.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: shortened(message), index: None, source: None }
    }

    /// A wrong input or parameter; `field` is its name in the request.
    pub fn request(field: &str, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Request, format!("{field}: {message}"))
    }

    /// A bad field of a configuration file.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Something this version does not know.
    pub fn unsupported(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A file that could not be read or written.
    pub fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{}: {source}", path.display())).caused_by(source)
    }

    /// The same error with the place (repository, file, field) in front of its message, unless it begins with that already.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let place = place.to_string();
        if !self.message.strip_prefix(&place).is_some_and(|rest| rest.starts_with([':', '/', '\\'])) {
            self.message = shortened(format_args!("{place}: {}", self.message));
        }
        self
    }

    /// What was wrong and what to do, without the input that it is blamed on.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, blamed on one input of many.
    #[must_use]
    pub fn for_input(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    /// The same error with its cause, kept for [`std::error::Error::source`].
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Which input of many failed, counted from 0.
    pub fn input_index(&self) -> Option<usize> {
        self.index
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "input {index}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| &**e as _)
    }
}

impl From<converters::Error> for Error {
    fn from(error: converters::Error) -> Self {
        use converters::ErrorKind as From;
        let kind = match error.kind() {
            From::Checkpoint | From::Tensor => ErrorKind::Checkpoint,
            From::Config => ErrorKind::Config,
            From::Io => ErrorKind::Io,
            _ => ErrorKind::Unsupported,
        };
        Self::new(kind, &error).caused_by(error)
    }
}

/// What is wrong with a value, without Rust's names of numbers and serde's of lists and objects.
pub(crate) fn in_words(error: &serde_json::Error) -> String {
    let names =
        [("usize", true), ("u64", true), ("u32", true), ("u8", true), ("i64", false), ("i32", false), ("f64", false), ("f32", false)];
    let text = [
        ("expected a nonzero usize", "expected a whole number from 1 on"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("invalid type: map", "invalid type: an object"),
        ("invalid type: sequence", "invalid type: a list"),
    ]
    .iter()
    .fold(error.to_string(), |text, (theirs, ours)| text.replace(theirs, ours));
    names.iter().fold(text, |text, (name, from_0)| {
        let kind = if *from_0 { "a whole number from 0 on" } else { "a number" };
        text.replace(&format!("expected {name}"), &format!("expected {kind}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_longer_than_a_few_lines() {
        let long = "x".repeat(1 << 20);
        let error = Error::request(&long, &long).at(&long).caused_by(std::io::Error::other("short"));
        assert!(error.to_string().len() < 2100, "{}", error.to_string().len());
        assert!(Error::io(std::path::Path::new(&long), std::io::Error::other(long.clone())).to_string().len() < 2100);
        let error = Error::from(converters::Error::config(&long).at("config.json"));
        assert!(error.to_string().starts_with("config.json: x") && error.to_string().len() < 2100);
    }

    #[test]
    fn what_is_wrong_with_a_value_is_told_in_words_of_json() {
        use std::num::NonZeroUsize;
        fn told<T: serde::de::DeserializeOwned>(text: &str) -> String {
            serde_json::from_str::<T>(text).map(drop).map_err(|error| in_words(&error)).unwrap_err()
        }
        for (told, part) in [
            (told::<NonZeroUsize>("0"), "expected a whole number from 1 on"),
            (told::<NonZeroUsize>("-1"), "expected a whole number from 1 on"),
            (told::<usize>("\"x\""), "expected a whole number from 0 on"),
            (told::<Vec<bool>>("{}"), "invalid type: an object, expected a list"),
            (told::<serde_json::Map<String, serde_json::Value>>("[]"), "invalid type: a list, expected an object"),
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_place_is_told_once() {
        let at = |message: &str| Error::config(message).at("./model").to_string();
        assert_eq!(at("./model: config.json: empty"), "./model: config.json: empty");
        assert_eq!(at("./model/config.json: empty"), "./model/config.json: empty");
        assert_eq!(at("./models: empty"), "./model: ./models: empty");
        assert_eq!(at("config.json: empty"), "./model: config.json: empty");
    }
}

//! Which ONNX Runtime library is used, and which were not.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A usable ONNX Runtime library.
#[derive(Debug, Clone, Serialize)]
pub struct Library {
    /// The file, or the name by which the system found it.
    pub path: PathBuf,
    /// Its version, as `1.31.1`.
    pub version: String,
    /// How it was found.
    pub source: Source,
}

/// How a library was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Source {
    /// The application named it.
    Application,
    /// The environment variable `ORT_DYLIB_PATH` named it.
    Variable,
    /// It lies beside the program.
    Program,
    /// `scripts/setup` brought it into the checkout.
    Checkout,
    /// The system knows it.
    System,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "named by the application",
            Self::Variable => "from ORT_DYLIB_PATH",
            Self::Program => "beside the program",
            Self::Checkout => "brought by scripts/setup",
            Self::System => "known to the system",
        })
    }
}

/// A place where the library was looked for, and why it was not taken there.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// The file, or the system's name.
    pub path: PathBuf,
    /// Why it was looked for there.
    pub source: Source,
    /// What was found instead.
    pub problem: String,
}

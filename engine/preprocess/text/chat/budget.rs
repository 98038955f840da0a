//! What a rendering may cost. A checkpoint's template is a program of a stranger: it must end, and must not fill memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::{Error, ErrorKind};

/// Steps of the interpreter; a chat of thousands of messages needs a tenth.
const STEPS: u64 = 5_000_000;
/// Bytes that all strings and lists made on the way may have together.
const BYTES: usize = 1 << 29;
/// Bytes of one string.
const LONGEST: usize = 1 << 26;

/// Lists and dictionaries that a template may put around other values. Values that nest deeply take as much stack to drop.
const WRAPPED: usize = 20_000;
/// Stack for a rendering, enough for values as deep as `WRAPPED` allows.
pub(super) const STACK: usize = 128 << 20;

/// What a rendering has left: bytes, and wrapped values.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<(AtomicUsize, AtomicUsize)>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new((AtomicUsize::new(BYTES), AtomicUsize::new(WRAPPED))))
    }

    /// Steps for a template. Its plain text is written without passing `spend`, so longer pieces leave fewer steps.
    pub(super) fn steps(longest_text: usize) -> u64 {
        STEPS.min((8 * BYTES / longest_text.max(1)) as u64)
    }

    /// Takes bytes for a string or a list about to be made.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Error> {
        if bytes > LONGEST {
            return Err(exhausted());
        }
        take(&self.0.0, bytes)
    }

    /// Counts a value about to be put into another.
    pub(super) fn wrap(&self) -> Result<(), Error> {
        take(&self.0.1, 1)
    }

    /// A string, if its bytes are left.
    pub(super) fn text(&self, text: String) -> Result<minijinja::Value, Error> {
        self.spend(text.len())?;
        Ok(minijinja::Value::from(text))
    }
}

fn take(left: &AtomicUsize, amount: usize) -> Result<(), Error> {
    let enough = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(amount));
    enough.map(|_| ()).map_err(|_| exhausted())
}

fn exhausted() -> Error {
    Error::new(ErrorKind::OutOfFuel, "the template makes more text or lists than any chat needs")
}

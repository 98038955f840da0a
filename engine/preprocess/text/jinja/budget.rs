//! What a rendering may cost. A checkpoint's template is a program of a stranger: it must end, and must not fill memory, whether it makes
//! much or only looks at much.

use std::cell::Cell;

use super::error::{Error, Kind, Result};

/// Units of work: about a byte read or made each. A chat of thousands of messages needs a tenth.
const WORK: u64 = 1 << 29;
/// Bytes that all strings and lists made on the way may have together.
const BYTES: u64 = 1 << 28;
/// Both grow with what the caller gives, by so much for each byte of it.
const WORK_PER_INPUT: u64 = 256;
const BYTES_PER_INPUT: u64 = 32;
/// Bytes of one string or list.
const LONGEST: usize = 1 << 26;

/// How deep calls, expressions and statements may nest.
const CALLS: u32 = 1200;
/// How deep values may nest; dropping and comparing them takes as much stack.
const DEEPEST: u32 = 10_000;
/// Stack for a rendering, enough for both.
pub(crate) const STACK: usize = 256 << 20;

/// Units of a step of the interpreter.
pub(crate) const STEP: usize = 64;
/// Units, and bytes, of a value in a list.
pub(crate) const ITEM: usize = 32;

/// What a rendering has left.
#[derive(Debug)]
pub(crate) struct Budget {
    work: Cell<u64>,
    bytes: Cell<u64>,
    calls: Cell<u32>,
}

impl Budget {
    /// For a template that is given so many bytes.
    pub(crate) fn new(input: usize) -> Self {
        let grown = |base: u64, factor: u64| base.saturating_add((input as u64).saturating_mul(factor));
        Self { work: Cell::new(grown(WORK, WORK_PER_INPUT)), bytes: Cell::new(grown(BYTES, BYTES_PER_INPUT)), calls: Cell::new(0) }
    }

    /// Pays for so many bytes that are looked at.
    pub(crate) fn work(&self, units: usize) -> Result<()> {
        take(&self.work, units)
    }

    /// Pays for so many values that are looked at.
    pub(crate) fn items(&self, count: usize) -> Result<()> {
        self.work(count.saturating_mul(ITEM))
    }

    /// Pays for a string of so many bytes about to be made.
    pub(crate) fn make(&self, bytes: usize) -> Result<()> {
        if bytes > LONGEST {
            return Err(exhausted());
        }
        take(&self.work, bytes)?;
        take(&self.bytes, bytes)
    }

    /// Pays for a list of so many values about to be made.
    pub(crate) fn make_items(&self, count: usize) -> Result<()> {
        self.make(count.saturating_mul(ITEM))
    }

    /// Checks how deep a value about to be made nests.
    pub(crate) fn nest(depth: u32) -> Result<()> {
        if depth > DEEPEST { Err(Error::new(Kind::Limit, "values nest too deeply")) } else { Ok(()) }
    }

    /// Goes one call deeper; [`Budget::leave`] comes back.
    pub(crate) fn enter(&self) -> Result<()> {
        self.work(STEP)?;
        let calls = self.calls.get() + 1;
        if calls > CALLS {
            return Err(Error::new(Kind::Limit, "calls nest too deeply (maximum recursion depth exceeded)"));
        }
        self.calls.set(calls);
        Ok(())
    }

    pub(crate) fn leave(&self) {
        self.calls.set(self.calls.get().saturating_sub(1));
    }
}

fn take(left: &Cell<u64>, amount: usize) -> Result<()> {
    match left.get().checked_sub(amount as u64) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => {
            left.set(0);
            Err(exhausted())
        }
    }
}

fn exhausted() -> Error {
    Error::new(Kind::Limit, "the template reads or makes more text or lists than any chat needs")
}
